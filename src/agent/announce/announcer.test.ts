import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "../../model/intern.ts";
import { parseNode } from "../../model/node.ts";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { arpProbe, readArp } from "../../net/neighbour/arp.ts";
import { prefix } from "../../net/prefix.ts";
import { planAnnouncements } from "../../service/load-balancer/announce.ts";
import { service, slice } from "../../service/testing.ts";
import type { Log } from "../log.ts";
import { type AnnounceDevice, Announcer, TICK_MS } from "./announcer.ts";

const LOG = { info: () => undefined, warn: () => undefined } as unknown as Log;
const V4 = addr("192.0.2.10");
const V6 = addr("2001:db8::10");
const NODES = ["a", "b", "c"] as const;

/** Three nodes on one wire; what one sends all others hear. */
class Network {
  nowMs = 0;
  readonly frames: { readonly from: string; readonly frame: Uint8Array }[] = [];
  readonly isCut = new Set<string>();
  readonly nodes = new Map<string, { readonly announcer: Announcer; readonly device: AnnounceDevice }>();

  constructor(names: readonly string[]) {
    for (const [i, name] of names.entries()) {
      const device = {
        name: "eth0",
        ifindex: 2,
        mac: mac(`02:00:00:00:00:0${i + 1}`),
        prefixes: [prefix("192.0.2.0/24")],
      };
      const announcer = new Announcer(name, { send: (_, frame) => this.#send(name, frame) }, LOG, () => this.nowMs);
      this.nodes.set(name, { announcer, device });
    }
  }

  #send(from: string, frame: Uint8Array): boolean {
    this.frames.push({ from, frame });
    if (this.isCut.has(from)) return false;
    for (const [name, { announcer, device }] of this.nodes) {
      if (name === from || this.isCut.has(name)) continue;
      if (frame[12] === 0x08) announcer.takeArp(device, frame);
      else announcer.takeIcmp6(device, addr("::"), frame.slice(54));
    }
    return true;
  }

  update(nodes: readonly string[], addrs = [V4]): void {
    for (const { announcer, device } of this.nodes.values())
      announcer.update(
        addrs.map((a) => ({ addr: a, nodes })),
        [device],
      );
  }

  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; this.nowMs += TICK_MS)
      for (const { announcer } of this.nodes.values()) announcer.tick();
  }

  /** Who answers. */
  who(a = V4): string[] {
    return [...this.nodes]
      .filter(([, n]) => n.announcer.announced.some((x) => x.text === a.text))
      .map(([name]) => name);
  }
}

for (const a of [V4, V6])
  test(`IPv${a.family}: one node announces, the next takes over when it is silent, and steps back`, () => {
    const net = new Network(NODES);
    net.update(NODES, [a]);
    net.pass(20_000);
    assert.deepEqual(net.who(a), ["a"], "nobody takes over while it answers");
    net.isCut.add("a");
    net.pass(4_000);
    assert.deepEqual(net.who(a), ["a", "b"]);
    net.pass(20_000);
    assert.deepEqual(net.who(a), ["a", "b"], "the third hears the second");
    net.isCut.add("b");
    net.pass(8_000);
    assert.deepEqual(net.who(a), ["a", "b", "c"]);
    net.isCut.clear();
    net.pass(2_000);
    assert.deepEqual(net.who(a), ["a"]);
  });

test("what was done is counted: changes, frames of each kind, and those that no device took", () => {
  const net = new Network(["a", "b"]);
  const of = (name: string) => net.nodes.get(name)!.announcer.counts();
  net.update(["a", "b"], [V4, V6]);
  net.pass(1_000);
  assert.deepEqual([of("a").held, of("a").standby, of("b").held, of("b").standby], [2, 0, 0, 2]);
  assert.equal(of("a").changes.taken, 2);
  assert.ok(of("a").frames.arp_announcement > 0 && of("a").frames.nd_announcement > 0);
  assert.ok(of("a").frames.arp_answer > 0 && of("a").frames.nd_answer > 0);
  assert.ok(of("b").frames.arp_probe > 0 && of("b").frames.nd_probe > 0);
  net.isCut.add("a");
  net.pass(5_000);
  assert.equal(of("b").changes.taken_over, 2);
  assert.ok(of("a").frames.unsent > 0);
  net.isCut.clear();
  net.pass(2_000);
  assert.equal(of("b").changes.given_back, 2);
  net.update(["b"], [V4]);
  assert.equal(of("a").changes.withdrawn, 2);
  assert.equal(net.nodes.get("b")!.announcer.stateOf(V4), "held");
  assert.equal(net.nodes.get("a")!.announcer.stateOf(V4), undefined);
});

test("a take-over is told four times, at once and later", () => {
  const net = new Network(["a"]);
  net.update(["a"]);
  net.pass(20_000);
  const told = net.frames.map(({ frame }) => readArp(frame));
  assert.equal(told.length, 4);
  assert.ok(
    told.every(
      (arp) => arp?.sender.text === V4.text && arp.target.text === V4.text && arp.senderMac === "02:00:00:00:00:01",
    ),
  );
});

test("it is asked and answers; for others' addresses, and for ones that it gave up, it does not", () => {
  const net = new Network(["a"]);
  net.update(["a"]);
  const { announcer, device } = net.nodes.get("a")!;
  const ask = (target: string) => {
    net.frames.length = 0;
    announcer.takeArp(device, arpProbe(mac("02:00:00:00:00:99"), addr(target)));
    return net.frames.map(({ frame }) => readArp(frame));
  };
  const [reply] = ask(V4.text);
  assert.deepEqual([reply?.operation, reply?.sender.text, reply?.senderMac], ["reply", V4.text, device.mac]);
  assert.deepEqual(ask("192.0.2.11"), []);
  net.update(["b"]);
  assert.deepEqual(ask(V4.text), []);
});

test("bytes of any kind are no harm", () => {
  const net = new Network(["a"]);
  net.update(["a"], [V4, V6]);
  const { announcer, device } = net.nodes.get("a")!;
  const whole = arpProbe(mac("02:00:00:00:00:99"), V4);
  for (let n = 0; n < whole.length; n++) announcer.takeArp(device, whole.subarray(0, n));
  for (const type of [135, 136])
    for (let n = 0; n < 64; n++) announcer.takeIcmp6(device, addr("fe80::1"), new Uint8Array(n).fill(type, 0, 1));
});

const node = (name: string, labels: object = {}) => {
  const read = parseNode({ metadata: { name, labels } }, createInterner());
  return read.ok ? read.value : assert.fail(JSON.stringify(read));
};

const balanced = (name: string, ips: readonly string[], spec: object = {}) =>
  service(name, { type: "LoadBalancer", ...spec }, {}, { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } });

test("each address has an order of nodes, and a node that goes moves its own addresses only", () => {
  const ips = Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`);
  const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
  const of = (list: readonly string[]) =>
    new Map(
      planAnnouncements(
        [balanced("web", ips)],
        () => [],
        list.map((n) => node(n)),
      ).map((a) => [a.addr.text, a.nodes]),
    );
  const before = of(names);
  assert.ok([...before.values()].every((n) => n.length === 3 && new Set(n).size === 3));
  for (const name of names)
    assert.ok([...before.values()].filter((n) => n[0] === name).length > 5, "no node is left out");
  const after = of(names.filter((n) => n !== "n3"));
  for (const [ip, nodes] of before) assert.equal(after.get(ip)?.[0], nodes[0] === "n3" ? nodes[1] : nodes[0]);
});

test("policy Local: nodes with backends; excluded nodes never; other classes not at all", () => {
  const local = balanced("web", ["192.0.2.1"], { externalTrafficPolicy: "Local" });
  const slices = [slice("web", ["10.0.0.1 node=b", "10.0.0.2 node=c gone"])];
  const nodes = [
    node("a"),
    node("b"),
    node("c"),
    node("x", { "node.kubernetes.io/exclude-from-external-load-balancers": "" }),
  ];
  assert.deepEqual(planAnnouncements([local], () => slices, nodes)[0]?.nodes, ["b"]);
  const everywhere = planAnnouncements([balanced("web", ["192.0.2.1"])], () => slices, nodes)[0];
  assert.deepEqual([...(everywhere?.nodes ?? [])].sort(), ["a", "b", "c"]);
  assert.deepEqual(
    planAnnouncements([balanced("web", ["192.0.2.1"], { loadBalancerClass: "example.com/x" })], () => [], nodes),
    [],
  );
});
