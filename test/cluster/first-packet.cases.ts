/**
 * Part of policy.test.ts: pods that start under an existing policy are never open. Each is watched from before its device
 * exists, while clients send to the address that it will get, and it sends itself as soon as it can.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { runProcess } from "../../src/lab/run.ts";
import { addr } from "../../src/net/addr.ts";
import { Capture, isSyn, type Seen } from "../fixture/capture.ts";
import { Hammer, hexAddress, Shouter } from "../fixture/hammer.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { type HeldPod, PluginGate } from "./kube/gate.ts";
import type { PodEnd } from "./kube/objects.ts";
import { echoPod, makeNamespace, SLOW_MS, type Stage, untilPodsReady } from "./kube/stage.ts";

const PODS = 6;
const NODE = "node-1";
/** Between two volleys. */
const VOLLEY_MS = 20;
/** Volleys at a pod before its plugin is let go, and after its addresses are there. */
const VOLLEYS = 5;
const UDP = 17;

type Kind = "web" | "db";
/** Ports that are sent to: each is allowed to one kind of pod and forbidden to the other. */
const PORT = { web: 8000, db: 8001 } as const;
/** What a pod sends to its clients: one is allowed, the other is not. */
const OUT = { allowed: 9000, forbidden: 9001 } as const;

/** What the policies below say. */
function allows(kind: Kind, client: string, port: number): boolean {
  return kind === "web" ? port === PORT.web : port === PORT.db && client === "callers/near";
}

const ports = (port: number) => ["TCP", "UDP"].map((protocol) => ({ protocol, port }));
const CALLERS = { namespaceSelector: { matchLabels: { who: "callers" } } };
const POLICIES = [
  {
    name: "web",
    podSelector: { matchLabels: { kind: "web" } },
    policyTypes: ["Ingress"],
    ingress: [{ from: [CALLERS], ports: ports(PORT.web) }],
  },
  {
    name: "db",
    podSelector: { matchLabels: { kind: "db" } },
    policyTypes: ["Ingress"],
    ingress: [{ from: [{ ...CALLERS, podSelector: { matchLabels: { role: "near" } } }], ports: ports(PORT.db) }],
  },
  { name: "out", podSelector: {}, policyTypes: ["Egress"], egress: [{ to: [CALLERS], ports: ports(OUT.allowed) }] },
].map(({ name, ...spec }) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name, namespace: "guarded" },
  spec,
}));

const kindOf = (pod: string): Kind => (pod.includes("web") ? "web" : "db");

/** The node gives one address after the other. */
function next(text: string): string {
  const { family } = addr(text);
  const separator = family === 4 ? "." : ":";
  const radix = family === 4 ? 10 : 16;
  const at = text.lastIndexOf(separator) + 1;
  return text.slice(0, at) + (Number.parseInt(text.slice(at) || "0", radix) + 1).toString(radix);
}

/** Global addresses in a namespace, IPv4 first. */
async function addressesIn(netns: string): Promise<readonly string[]> {
  const { stdout } = await runProcess(["nsenter", `--net=${netns}`, "ip", "-j", "addr", "show", "scope", "global"]);
  const links = JSON.parse(stdout || "[]") as { addr_info?: { local: string; family: string }[] }[];
  const all = links.flatMap((l) => l.addr_info ?? []);
  return ["inet", "inet6"].flatMap((family) => all.filter((a) => a.family === family).map((a) => a.local));
}

/** Whom one pod is held against. */
interface Range {
  readonly hammer: Hammer;
  readonly clients: readonly PodEnd[];
  readonly gate: PluginGate;
  /** What clients have heard on the port that pods may send to. */
  readonly heard: ReadonlySet<number>;
  readonly tally: { forbidden: number; allowed: number; early: number; predicted: number; out: number };
}

/** @returns the pod's addresses */
async function watchStart(held: HeldPod, { hammer, clients, gate, heard, tally }: Range): Promise<readonly string[]> {
  const kind = kindOf(held.pod);
  const seen: Seen[] = [];
  using capture = new Capture(held.netns, (s) => seen.push(s));
  using shouter = new Shouter(held.netns, clients, Object.values(OUT), VOLLEY_MS);
  const clientOf = (address: string) => clients.find((c) => c.addresses.includes(address))?.name ?? "";
  const volleysAfter = async (what: string) => {
    const until = hammer.ticks + VOLLEYS;
    await waitFor(`volleys ${what}`, () => hammer.ticks >= until, SLOW_MS);
  };
  await volleysAfter("before it starts");
  const early = hammer.nextId;
  gate.release(held);
  const addresses = await waitFor(
    `addresses of ${held.pod}`,
    async () => {
      const found = await addressesIn(held.netns);
      return found.length === 2 && found;
    },
    SLOW_MS,
  );
  const own = new Set(addresses.map(hexAddress));
  const isForPod = (s: { readonly to: string }) => addresses.includes(s.to);
  hammer.aim(addresses);
  // From each client that may, in both families and both protocols; and of what the pod sends, the same.
  const expected = clients.filter((c) => allows(kind, c.name, PORT[kind])).length * 4;
  const allowedKinds = () => {
    const senders = new Map(hammer.sent.filter(isForPod).map((s) => [s.id, s]));
    const through = seen.filter((s) => own.has(s.dst) && senders.has(s.id));
    return new Set(through.map((s) => `${s.src} ${s.protocol}`)).size;
  };
  const shouted = () => new Set(shouter.sent.filter((s) => heard.has(s.id)).map((s) => s.to)).size;
  await waitFor(
    `what is allowed to reach and to leave ${held.pod}`,
    () => allowedKinds() >= expected && shouted() === clients.length * 2,
    SLOW_MS,
  );
  await volleysAfter("once it runs");

  capture.drain();
  const sources = new Map(clients.flatMap((c) => c.addresses.map((a) => [hexAddress(a), c.name])));
  const arrived = seen.filter((s) => own.has(s.dst) && (isSyn(s) || s.protocol === UDP) && sources.has(s.src));
  const passed = arrived.filter((s) => !allows(kind, sources.get(s.src) ?? "", s.dstPort));
  assert.deepEqual(passed, [], `${passed.length} forbidden packets came to ${held.pod} at ${addresses.join(" and ")}`);
  assert.equal(capture.lost(), 0, "the capture has seen everything");
  const sent = hammer.sent.filter(isForPod);
  const forbidden = sent.filter((s) => !allows(kind, clientOf(s.from), s.port));
  if (forbidden.some((s) => s.id < early)) tally.predicted++;
  tally.forbidden += forbidden.length;
  tally.allowed += arrived.length;
  tally.early += sent.filter((s) => s.id < early).length;
  tally.out += shouter.sent.length;
  hammer.forget();
  return addresses;
}

/** See the file's comment. */
export function startsClosed(stage: () => Stage): void {
  test(`${PODS} pods that start under a policy are closed from their first packet`, async (t: TestContext) => {
    const { cluster, api } = stage();
    await makeNamespace(stage(), "callers", { who: "callers" });
    await makeNamespace(stage(), "guarded", { who: "guarded" });
    for (const policy of POLICIES) await api.create(policy);
    for (const [name, node] of [
      ["near", NODE],
      ["far", "node-2"],
    ] as const)
      await api.create(echoPod({ namespace: "callers", name, node, labels: { role: name }, ports: [] }));
    const clients = await untilPodsReady(stage(), ["callers/near", "callers/far"]);
    await using gate = await PluginGate.close(cluster.node(NODE));
    using hammer = new Hammer(clients, Object.values(PORT), VOLLEY_MS);
    using stack = new DisposableStack();
    const heard = new Set<number>();
    const leaked: Seen[] = [];
    const ears = clients.map(({ netns }) =>
      stack.use(
        new Capture(netns, (seen) => {
          if (seen.dstPort === OUT.allowed) heard.add(seen.id);
          if (seen.dstPort === OUT.forbidden) leaked.push(seen);
        }),
      ),
    );
    const tally = { forbidden: 0, allowed: 0, early: 0, predicted: 0, out: 0 };
    const names = Array.from({ length: PODS }, (_, i) => `${i % 2 === 0 ? "web" : "db"}-${i}`);
    for (const name of names)
      await api.create(echoPod({ namespace: "guarded", name, node: NODE, labels: { kind: kindOf(name) }, ports: [] }));
    const done = new Set<string>();
    while (done.size < PODS) {
      const held = await waitFor(
        "a pod whose network is asked for",
        () => gate.held().find((h) => h.pod.startsWith("guarded/") && !done.has(h.pod)),
        SLOW_MS,
      );
      const addresses = await watchStart(held, { hammer, clients, gate, heard, tally });
      done.add(held.pod);
      // Whoever comes next is under fire already.
      hammer.aim(addresses.map(next));
    }
    await untilPodsReady(
      stage(),
      names.map((n) => `guarded/${n}`),
    );
    for (const ear of ears) {
      ear.drain();
      assert.equal(ear.lost(), 0, "the clients' captures have seen everything");
    }
    assert.deepEqual(leaked, [], `${leaked.length} packets left pods that may not send them`);
    t.diagnostic(JSON.stringify(tally));
    assert.ok(tally.predicted >= PODS - 2, `${tally.predicted} pods were under fire before they existed`);
    for (const name of ["callers", "guarded"])
      await api.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  });
}
