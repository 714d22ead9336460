/**
 * What is interrupted, and for how long, when an agent is killed, when the node that announces an address is lost, and when one with
 * backends is: asserted is what holds on any machine, printed are the figures (docs/services.md has them).
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { hash32 } from "../../src/base/hash.ts";
import { enterCommand, runIn } from "../../src/lab/box.ts";
import { decodeReply, encodeRequest } from "../../src/lab/probe/protocol.ts";
import { failureCode, type ProbeSocket, SOCKET } from "../../src/lab/probe/socket.ts";
import { addr } from "../../src/net/addr.ts";
import { definitionsOf, OWN_GROUP } from "../../tools/crds.ts";
import { Datagrams } from "../fixture/datagrams.ts";
import { fromNetns, Pacer } from "../fixture/pacer.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { eventually } from "../fixture/service-stage.ts";

const NODES = ["node-1", "node-2", "node-3"];
const CLIENT = "default/client";
const PER_SECOND = 100;
const INTERVAL_MS = 10;
const FAR_MS = 60_000;
/** A connection is through sooner, however busy the machine is. */
const UNDER_WAY_MS = 5_000;
/** Load before and after what is done, so that a loss can be told from a slow start. */
const SETTLE_MS = 1_000;

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({
    name: "test-service-interrupted",
    nodes: NODES.length,
    objects: definitionsOf(OWN_GROUP) as never,
  });
  await s.pods({ "web-1": "node-1", "web-3": "node-3" }, { app: "web" });
  // One is seen by its sockets, the other by its packets: from one network the two would use the same ports.
  await s.pods({ client: "node-1", sandbox: "node-1" });
});
after(() => s?.[Symbol.asyncDispose]());

const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
/** As pacers count. */
const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;

async function setLink(node: string, state: "up" | "down"): Promise<void> {
  const done = await runIn(s.lab.underlay.wire, ["ip", "link", "set", `n${node.slice(5)}`, state], { isNetOnly: true });
  assert.equal(done.code, 0, done.stderr);
}

async function connected(from: string, type: number, to: string, port: number): Promise<ProbeSocket> {
  const socket = s.socket(from, to.includes(":") ? 6 : 4, type);
  await socket.connect(to, port, 10_000);
  return socket;
}

/** One question and its answer over a socket that stays open. @returns who answered, or why nobody did */
async function askOver(socket: ProbeSocket, timeoutMs: number): Promise<string> {
  try {
    await socket.send(encodeRequest({ nonce: "n", size: 0, want: 0 }), timeoutMs);
    return (decodeReply(await socket.receive(timeoutMs))?.name ?? "?").replace("default/", "");
  } catch (error) {
    return failureCode(error) ?? String(error);
  }
}

/** Looks at whom the router takes for an address. @returns `stop`: when that was another the last time, as pacers count; undefined: never */
async function movesOf(ip: string) {
  let [isOver, movedMs]: [boolean, number | undefined] = [false, undefined];
  const look = async () => {
    const out = await runIn(s.lab.underlay.wire, ["ip", "-j", "neigh", "show", "to", ip], { isNetOnly: true });
    const [entry] = JSON.parse(out.stdout) as { lladdr?: string }[];
    return entry?.lladdr;
  };
  let last = await look();
  assert.ok(last !== undefined, "the router knows somebody");
  const watching = (async () => {
    for (let isLast = false; !isLast; ) {
      // Once more after the end: what happened until then is seen.
      isLast = isOver;
      const now = await look();
      if (now === undefined || now === last) continue;
      movedMs = monotonicMs();
      last = now;
    }
    return movedMs;
  })();
  return {
    stop: () => {
      isOver = true;
      return watching;
    },
  };
}

interface Status {
  readonly pid: number;
  readonly isReady: boolean;
  readonly services: { readonly isReady: boolean };
  readonly packets: readonly { readonly name: string; readonly packets: number }[];
}

async function statusOf(node: string): Promise<Status> {
  const out = await runIn(s.lab.node(node).box, ["/opt/twill/bin/twill", "status", "--json"]);
  return JSON.parse(out.stdout) as Status;
}

/** What a node's programs have dropped until now, in words. */
async function drops(node: string): Promise<string> {
  const { packets } = await statusOf(node);
  const found = packets.filter((p) => p.name.startsWith("drop_")).map((p) => `${p.name} ${p.packets}`);
  return found.join(", ") || "nothing";
}

async function agentPids(): Promise<number[]> {
  return Promise.all(
    NODES.map(async (node) => {
      const status = await statusOf(node);
      assert.ok(status.isReady && status.services.isReady);
      return status.pid;
    }),
  );
}

test("all agents are killed and start anew: nothing is lost", async (t) => {
  const [ip] = s.service("web", { type: "NodePort", selector: { app: "web" } });
  const [node = ""] = s.at("node-1").addresses;
  const netnsOf = (pod: string) => s.at(`default/${pod}`).netns;
  const { box } = s.lab.node("node-1");
  const seen = (argv: readonly string[]) => enterCommand(box, argv, { netns: netnsOf("client"), isNetOnly: true });
  const inside = { to: ip, port: 8000, perSecond: PER_SECOND };
  const outside = { enter: fromNetns(s.at("outside").netns), to: node, perSecond: PER_SECOND };
  await s.answeredBy(["web-1", "web-3"], CLIENT, "TCP", ip, 8000);
  await s.answeredBy(["web-1", "web-3"], "outside", "TCP", node, s.nodePort("web", "web"));
  await s.answeredBy(["web-1", "web-3"], "outside", "UDP", node, s.nodePort("web", "dns"));
  using load = new DisposableStack();
  const pacers = {
    "from a pod, by sockets": load.use(new Pacer({ ...inside, enter: seen })),
    "from a pod, by packets": load.use(new Pacer({ ...inside, enter: fromNetns(netnsOf("sandbox")) })),
    "from outside by a node port": load.use(new Pacer({ ...outside, port: s.nodePort("web", "web") })),
  };
  const streams = {
    "from a pod": load.use(await connected(CLIENT, SOCKET.DGRAM, ip, 5300)),
    "from outside": load.use(await connected("outside", SOCKET.DGRAM, node, s.nodePort("web", "dns"))),
  };
  const datagrams = Object.entries(streams).map(
    ([what, x]) => [what, load.use(new Datagrams(x, INTERVAL_MS))] as const,
  );
  using tcp = await connected("outside", SOCKET.STREAM, node, s.nodePort("web", "web"));
  const who = await askOver(tcp, 20_000);
  await Promise.all(Object.values(pacers).map((p) => p.ready));
  await settle();
  const before = await eventually(agentPids);
  const start = performance.now();
  for (const name of NODES) assert.ok(s.lab.agent(name)?.signal("SIGKILL"));
  await eventually(async () => {
    const pids = await agentPids();
    assert.ok(pids.every((pid, i) => pid !== before[i]));
  }, FAR_MS);
  t.diagnostic(`all agents ready again after ${((performance.now() - start) / 1000).toFixed(1)} s`);
  await settle();
  assert.equal(await askOver(tcp, 20_000), who, "an established connection");
  for (const node of NODES) t.diagnostic(`dropped on ${node}: ${await drops(node)}`);
  for (const [what, pacer] of Object.entries(pacers)) {
    const { attempts, failures, p50Ms, slowestMs } = await pacer.stop();
    t.diagnostic(
      `${what}: ${attempts} new connections, p50 ${p50Ms.toFixed(1)} ms, slowest ${slowestMs.toFixed(0)} ms`,
    );
    assert.deepEqual(failures, {}, what);
  }
  for (const [what, stream] of datagrams) {
    const { sent, lost, longestSilenceMs } = await stream.stop();
    t.diagnostic(`${what}: ${sent} datagrams, ${lost} lost, longest silence ${longestSilenceMs.toFixed(0)} ms`);
    assert.equal(lost, 0, what);
  }
});

test("the node that announces an address is lost: another answers", async (t) => {
  const weight = (ip: string, name: string) => hash32(`${addr(ip).text} ${name}`);
  const orderOf = (ip: string) => [...NODES].sort((a, b) => weight(ip, b) - weight(ip, a));
  // node-2 has no backend: what is lost with it is the announcing alone.
  const ip =
    Array.from({ length: 50 }, (_, i) => `192.168.77.${200 + i}`).find((x) => orderOf(x)[0] === "node-2") ?? "";
  s.lab.objects.create(
    parse(`
      apiVersion: twill.dev/v1alpha1
      kind: LoadBalancerPool
      metadata: { name: public }
      spec: { addresses: ["192.168.77.200-192.168.77.249"] }`),
  );
  s.service("front", {
    type: "LoadBalancer",
    loadBalancerIP: ip,
    ipFamilyPolicy: "SingleStack",
    ipFamilies: ["IPv4"],
    selector: { app: "web" },
  });
  await s.answeredBy(["web-1", "web-3"], "outside", "UDP", ip, 5300);
  using load = new DisposableStack();
  const enter = fromNetns(s.at("outside").netns);
  // Who asks is heard with what TCP sends again: after 1, 3, 7, 15 and 31 seconds.
  const pacer = load.use(new Pacer({ enter, to: ip, port: 8000, perSecond: PER_SECOND, deadlineMs: FAR_MS }));
  const datagrams = load.use(new Datagrams(load.use(await connected("outside", SOCKET.DGRAM, ip, 5300)), INTERVAL_MS));
  await pacer.ready;
  await settle();
  const known = await waitFor("the first answers", () => datagrams.answered > 0 && datagrams.answered);
  await setLink("node-2", "down");
  const [start, lostMs] = [performance.now(), monotonicMs()];
  await eventually(async () => assert.equal((await s.ask("outside", "TCP", ip, 8000, 500)).verdict, "ok"), FAR_MS);
  t.diagnostic(`answered again ${((performance.now() - start) / 1000).toFixed(1)} s after the link was lost`);
  await eventually(async () => assert.ok(datagrams.answered > known + 10), FAR_MS);
  await settle();
  const found = await pacer.stop();
  t.diagnostic(
    `${found.attempts} new connections, slowest ${(found.slowestMs / 1000).toFixed(1)} s (with what TCP sends again), failed ${JSON.stringify(found.failures)}`,
  );
  // Those that were under way through the lost node end: nobody else knows as whom that node spoke to the backend.
  const { ECONNRESET: reset = 0, timeout = 0, ...others } = found.failures;
  assert.deepEqual(others, {});
  assert.ok(
    reset + timeout === 0 || lostMs - found.firstFailureMs < UNDER_WAY_MS,
    `${reset + timeout} that failed had begun up to ${(lostMs - found.firstFailureMs).toFixed(0)} ms before the link was lost`,
  );
  assert.ok(found.lastFailureMs < lostMs, "who begins then asks again until another node answers");
  const returning = load.use(new Pacer({ enter, to: ip, port: 8000, perSecond: PER_SECOND }));
  await returning.ready;
  await settle();
  const moved = await movesOf(ip);
  await setLink("node-2", "up");
  const upMs = monotonicMs();
  await settle();
  const back = await returning.stop();
  const movedMs = await moved.stop();
  t.diagnostic(
    `the link is back: ${back.attempts} new connections, failed ${JSON.stringify(back.failures)}; the address ${movedMs === undefined ? "stayed where it was" : "moved"}`,
  );
  const after = (ms: number | undefined) => (ms === undefined || ms === 0 ? "never" : `${(ms - upMs).toFixed(0)} ms`);
  assert.ok(
    back.lastFailureMs < (movedMs ?? 1),
    `Who begins after the address has moved finds everybody: of ${JSON.stringify(back.failures)} the last one began ${after(back.lastFailureMs)}, and the address moved ${after(movedMs)} after the link was back`,
  );
  const { sent, lost, longestSilenceMs } = await datagrams.stop();
  t.diagnostic(`${sent} datagrams, ${lost} lost, longest silence ${(longestSilenceMs / 1000).toFixed(1)} s`);
  assert.ok(lost < sent / 2 && longestSilenceMs < FAR_MS);
  await eventually(async () => assert.equal((await s.ask("outside", "TCP", ip, 8000)).verdict, "ok"), FAR_MS);
  s.removeService("front");
});

test("a node with a backend is lost: nobody new is sent there once its endpoint has gone, UDP moves, TCP waits", async (t) => {
  const [ip] = s.service("split", {});
  s.slices("split", s.endpoints("web-3"));
  await s.answeredBy(["web-3"], CLIENT, "UDP", ip, 5300);
  await s.answeredBy(["web-3"], CLIENT, "TCP", ip, 8000);
  using packets = await connected(CLIENT, SOCKET.DGRAM, ip, 5300);
  s.isSeen = true;
  using seen = await connected(CLIENT, SOCKET.DGRAM, ip, 5300);
  s.isSeen = false;
  using tcp = await connected(CLIENT, SOCKET.STREAM, ip, 8000);
  assert.deepEqual([await askOver(packets, 20_000), await askOver(tcp, 20_000)], ["web-3", "web-3"]);
  await eventually(async () => assert.equal(await askOver(seen, 5_000), "web-3"));
  s.slices("split", [...s.endpoints("web-1"), ...s.endpoints("web-3")]);
  await s.answeredBy(["web-1", "web-3"], CLIENT, "TCP", ip, 8000);
  using pacer = new Pacer({
    enter: fromNetns(s.at(CLIENT).netns),
    to: ip,
    port: 8000,
    perSecond: 40,
    deadlineMs: 3_000,
  });
  await pacer.ready;
  await settle();
  await setLink("node-3", "down");
  await settle();
  const goneMs = monotonicMs();
  s.slices("split", s.endpoints("web-1"));
  const moved = performance.now();
  await eventually(async () => assert.equal(await askOver(packets, 200), "web-1"));
  t.diagnostic(
    `UDP by packets: answered by another ${(performance.now() - moved).toFixed(0)} ms after the endpoint went`,
  );
  // Who sends to nobody any more is told so otherwise: the reason is read.
  await eventually(() => assert.rejects(seen.receive(200), { code: "ECONNABORTED" }));
  t.diagnostic(`UDP by a connected socket: told ECONNABORTED ${(performance.now() - moved).toFixed(0)} ms after it`);
  assert.equal(await askOver(tcp, 1_000), "TIMEOUT", "a TCP connection stays where it is");
  await settle();
  const { attempts, failures, lastFailureMs } = await pacer.stop();
  const lateMs = lastFailureMs === 0 ? 0 : lastFailureMs - goneMs;
  t.diagnostic(
    `${attempts} new connections, failed ${JSON.stringify(failures)}; the last one that was sent there began ${lateMs.toFixed(0)} ms after the endpoint went`,
  );
  assert.ok(lateMs < 30_000);
  // Long enough to tell a node that is lost from a backend that has not run.
  assert.deepEqual(await s.answers(CLIENT, "TCP", ip, 8000, 40, 30_000), ["web-1"]);
  await setLink("node-3", "up");
  await eventually(
    async () => assert.equal(await askOver(tcp, 2_000), "web-3", "it goes on when the node is back"),
    FAR_MS,
  );
});
