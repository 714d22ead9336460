/** `twill monitor` against a real agent and real packets: what is denied names the policy that denied it. */

import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import type { LostLine } from "../../src/agent/events/follower.ts";
import type { PolicyReport } from "../../src/agent/policy/policy-report.ts";
import type { AgentStatus } from "../../src/agent/status/status.ts";
import type { ToldEvent } from "../../src/flow/told.ts";
import { loadAddon } from "../../src/kernel/linux/addon.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { ProbeSocket, SOCKET } from "../../src/lab/probe/socket.ts";
import { writeIn } from "../fixture/files.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { addPod, openNodes, type Pod, startAgents, type TwillNode } from "../fixture/twill-nodes.ts";

const stack = new AsyncDisposableStack();
let node: TwillNode;
let client: Pod;
let server: Pod;

const NOBODY = 6999;

/** Denies port 81 by a rule of its own, allows port 80 to friends only. */
const CALICO = {
  apiVersion: "projectcalico.org/v3",
  kind: "NetworkPolicy",
  metadata: { name: "no-81", namespace: "default" },
  spec: {
    selector: "app == 'server'",
    order: 10,
    types: ["Ingress"],
    ingress: [
      { action: "Deny", protocol: "TCP", destination: { ports: [81] } },
      { action: "Log", protocol: "TCP", destination: { ports: [82] } },
      { action: "Allow", protocol: "TCP", destination: { ports: [82] } },
    ],
  },
};
const KUBERNETES = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "only-friends", namespace: "default" },
  spec: {
    podSelector: { matchLabels: { app: "server" } },
    policyTypes: ["Ingress"],
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: "friend" } } }], ports: [{ port: 80 }] },
      { ports: [{ port: 83 }] },
    ],
  },
};
/** Whatever comes to the server would be denied, but for what others allow. */
const ISOLATING_SOON = {
  apiVersion: "projectcalico.org/v3",
  kind: "StagedNetworkPolicy",
  metadata: { name: "nothing-to-client", namespace: "default" },
  spec: { selector: "app == 'client'", types: ["Ingress"] },
};
const AUDITED = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "tried", namespace: "default", annotations: { "policy.twill.dev/mode": "audit" } },
  spec: { podSelector: { matchLabels: { app: "client" } } },
};
const STAGED = {
  apiVersion: "projectcalico.org/v3",
  kind: "StagedNetworkPolicy",
  metadata: { name: "no-83-soon", namespace: "default" },
  spec: {
    selector: "app == 'server'",
    order: 5,
    types: ["Ingress"],
    ingress: [{ action: "Deny", protocol: "TCP", destination: { ports: [83] } }],
  },
};

/** Objects as a file of YAML: JSON is YAML. */
const documents = (...objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join("\n---\n");

function podObject(name: string, app: string): object {
  const metadata = { name, namespace: "default", labels: { app } };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: "node-1", containers: [{ name: "c" }] } };
}

before(async () => {
  // A small ring and small tables, so that they can be made to overflow.
  const nodes = await openNodes(stack, { count: 1, config: { maps: { events: 16_384, policy_sets: 2048 } } });
  const [first] = nodes;
  assert.ok(first);
  node = first;
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
  const pods = [podObject("client", "client"), podObject("server", "server")];
  writeIn(node.box, "/run/objects/pods.yaml", documents(namespace, ...pods));
  writeIn(node.box, "/run/objects/policies.yaml", documents(CALICO, KUBERNETES, STAGED, ISOLATING_SOON, AUDITED));
  await startAgents(stack, nodes);
  client = await addPod(node, { name: "client" });
  server = await addPod(node, { name: "server" });
});

after(() => stack.disposeAsync());

const toServer = (port: number, family = 0, timeoutMs = 300) =>
  probe({ netns: client.netns, protocol: "TCP", to: server.addresses[family] ?? "", port, timeoutMs });
/** Until somebody has said no: nobody is waited for as long. */
const REFUSED_MS = 20_000;

const ask = (path: string) =>
  node.run(["curl", "-sS", "--unix-socket", "/run/twill/control.sock", `http://twill${path}`]);
const metrics = () => ask("/metrics");

async function past(...words: string[]): Promise<ToldEvent[]> {
  const out = await node.cli("monitor", "--no-follow", "--json", ...words);
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as ToldEvent);
}

/** The first event about a port of the server's; sends until it is there. */
function eventAbout(port: number, family = 0, ...words: string[]): Promise<ToldEvent> {
  return waitFor(`an event about port ${port}`, async () => {
    await toServer(port, family);
    return (await past("--last", "500", ...words)).find(
      (e) => e.destination?.port === port && e.destination.address === server.addresses[family],
    );
  });
}

test("a denied packet names policy and rule, direction, and both ends with their identities", async () => {
  for (const family of [0, 1]) {
    const e = await eventAbout(81, family);
    assert.deepEqual(
      [e.verdict, e.direction, e.protocol, e.tcpFlags, e.rule?.object, e.rule?.path, e.rule?.isCurrent],
      ["denied", "ingress", "TCP", "SYN", "NetworkPolicy.projectcalico.org default/no-81", "spec.ingress[0]", true],
    );
    assert.deepEqual([e.source?.pod, e.destination?.pod], ["default/client", "default/server"]);
    assert.equal(e.source?.address, client.addresses[family]);
    assert.ok((e.source?.identity ?? 0) >= 256 && (e.destination?.identity ?? 0) >= 256);
    assert.ok(Math.abs(Date.parse(e.time) - Date.now()) < 60_000, e.time);
  }
});

test("what no rule of an isolating policy allows names that policy", async () => {
  const e = await eventAbout(80);
  assert.deepEqual(
    [e.verdict, e.rule?.object, e.rule?.path, e.rule?.isolatedBy],
    [
      "denied",
      undefined,
      "end of tier default",
      ["NetworkPolicy.projectcalico.org default/no-81", "NetworkPolicy default/only-friends"],
    ],
  );
  const lines = await node.cli("monitor", "--no-follow", "--last", "1", "--verdict", "denied", "--pod", "server");
  assert.match(lines, /NetworkPolicy default\/only-friends: no rule allows it \(end of tier default\)$/m);
});

test("what no rule of staged and audited policies would allow names them", async () => {
  const e = await waitFor("a verdict that would be", async () => {
    await probe({ netns: server.netns, protocol: "TCP", to: client.addresses[0] ?? "", port: 84, timeoutMs: 300 });
    return (await past("--last", "500", "--verdict", "would-deny")).find((x) => x.destination?.port === 84);
  });
  assert.deepEqual(
    [e.rule?.path, e.rule?.isolatedBy],
    ["end of tier default", ["NetworkPolicy default/tried", "StagedNetworkPolicy default/nothing-to-client"]],
  );
});

test("what a rule logs and allows is told with the rule that logs", async () => {
  const e = await eventAbout(82);
  assert.deepEqual(
    [e.verdict, e.kind, e.rule?.object, e.rule?.path],
    ["allowed", "logged", "NetworkPolicy.projectcalico.org default/no-81", "spec.ingress[1]"],
  );
});

test("what a staged policy would deny is told with its rule, and passes", async () => {
  const e = await eventAbout(83, 0, "--verdict", "would-deny");
  assert.deepEqual(
    [e.kind, e.rule?.object, e.rule?.path],
    ["staged", "StagedNetworkPolicy default/no-83-soon", "spec.ingress[0]"],
  );
  assert.equal((await toServer(83, 0, REFUSED_MS)).verdict, "refused", "nobody listens there, and the server says so");
});

test("what policies did is counted for each: verdicts, and those that staged policies would have given", async () => {
  const report = async () => JSON.parse(await ask("/v1/policy")) as PolicyReport;
  const of = ({ objects }: PolicyReport, name: string) => {
    const found = objects.find((o) => o.name === name);
    assert.ok(found, name);
    return found;
  };
  const before = await report();
  assert.deepEqual([before.isReady, before.closed, before.problems, before.policies], [true, [], [], 5]);
  for (const port of [81, 81, 81]) await toServer(port);
  await toServer(83, 0, REFUSED_MS);
  const after = await report();
  const rule = (r: PolicyReport, name: string, path: string) => of(r, name).rules.find((x) => x.path === path);
  const denied = (r: PolicyReport) => rule(r, "no-81", "spec.ingress[0]")?.hits.packets ?? 0;
  // Each SYN that is sent again is denied again.
  assert.ok(denied(after) - denied(before) >= 3, `${denied(before)}, then ${denied(after)}`);
  const would = (r: PolicyReport) => rule(r, "no-83-soon", "spec.ingress[0]")?.stagedHits.packets ?? 0;
  assert.equal(would(after) - would(before), 1, "one flow, one verdict");
  assert.equal(of(after, "no-83-soon").hits.packets, 0, "what is staged decides nothing");
  const end = of(after, "nothing-to-client").rules.find((r) => r.path === "end of tier default");
  assert.ok((end?.stagedHits.packets ?? 0) > 0);
  assert.match(
    await node.cli("policy", "hits"),
    /^NetworkPolicy\.projectcalico\.org default\/no-81 +ingress +[^\n]* deny +[1-9]/m,
  );
  const scraped = await metrics();
  assert.match(scraped, /^twill_policy_ready 1$/m);
  assert.match(scraped, /^twill_policies\{mode="stage"\} 3$/m);
  assert.match(
    scraped,
    /^twill_policy_verdicts_total\{kind="StagedNetworkPolicy",direction="ingress",action="deny",staged="true"\} [1-9]/m,
  );
  assert.match(scraped, /^twill_events_total\{kind="denied"\} [1-9]/m);
  assert.match(await node.cli("status"), /^Policy +5 policies \(3 staged\), \d+ rules in \d+ classes/m);
});

test("a line for people says the same, and the end comes after so many", async () => {
  const watching = node.cli("monitor", "--drop", "--pod", "server", "--last", "0", "-n", "2");
  let isOver = false;
  void watching.finally(() => {
    isOver = true;
  });
  while (!isOver) await toServer(81);
  const lines = (await watching).trimEnd().split("\n");
  assert.equal(lines.length, 2);
  for (const line of lines)
    assert.match(
      line,
      /^\d\d:\d\d:\d\d\.\d{3} denied +ingress +default\/client \(10\.244\.1\.\d+:\d+ id \d+\) → default\/server \(10\.244\.1\.\d+:81 id \d+\) TCP SYN by NetworkPolicy\.projectcalico\.org default\/no-81 spec\.ingress\[0\]$/,
    );
});

test("a late event still names the rule of a policy that is gone", async () => {
  await eventAbout(81);
  writeIn(node.box, "/run/objects/policies.yaml", documents(KUBERNETES));
  const e = await waitFor("the policy to be gone", async () =>
    (await past("--last", "500")).find((x) => x.destination?.port === 81 && x.rule?.isCurrent === false),
  );
  assert.deepEqual(
    [e.rule?.object, e.rule?.path],
    ["NetworkPolicy.projectcalico.org default/no-81", "spec.ingress[0]"],
  );
});

test("what is no policy's is told with its reason", async () => {
  const to = "10.244.77.7";
  const e = await waitFor("a drop", async () => {
    await probe({ netns: client.netns, protocol: "TCP", to, port: NOBODY, timeoutMs: 100 });
    return (await past("--reason", "no_route", "--ip", to))[0];
  });
  assert.deepEqual([e.verdict, e.direction, e.rule], ["dropped", undefined, undefined]);
});

/** Sends datagrams that policy denies, as fast as can be. */
function flood(socket: ProbeSocket, count: number): void {
  for (let i = 0; i < count; i++) loadAddon().send(socket.fd, Uint8Array.of(0));
}

/** Packets of which an event was made, whether it found room or not; events that were taken; and those that found none. */
async function account(): Promise<{ made: number; taken: number; lost: number; lostToFollowers: number }> {
  const { packets, events } = JSON.parse(await node.cli("status", "--json")) as AgentStatus;
  const sum = (isWanted: (name: string) => boolean) =>
    packets.reduce((n, p) => n + (isWanted(p.name) ? p.packets : 0), 0);
  return {
    made: sum((n) => /^(drop_|policy_logged$|policy_staged$)/.test(n) && n !== "drop_router_redirect"),
    taken: Object.values(events.taken).reduce((a, b) => a + b, 0) + events.unreadable,
    lost: sum((n) => n === "event_lost"),
    lostToFollowers: events.lostToFollowers,
  };
}

const settled = () =>
  waitFor("all events to be accounted for", async () => {
    const a = await account();
    return a.taken + a.lost === a.made && a;
  });

test("each event is taken or counted as lost; a follower is told what it missed, and why", async () => {
  using socket = new ProbeSocket(client.netns, 4, SOCKET.DGRAM, 0);
  await socket.connect(server.addresses[0] ?? "", 7999, 1000);
  const before = await settled();
  const res = await new Promise<IncomingMessage>((resolve, reject) =>
    request(
      { socketPath: `${node.box.root}/run/twill/control.sock`, path: "/v1/events?follow=true", agent: false },
      resolve,
    )
      .on("error", reject)
      .end(),
  );
  flood(socket, 20_000);
  const flooded = await settled();
  assert.ok(flooded.made - before.made >= 20_000);
  assert.ok(flooded.lost > before.lost, "the ring is small");
  // Nobody reads: as much as may wait does, and the rest is lost to this follower.
  await waitFor(
    "a follower that is behind",
    async () => {
      flood(socket, 150);
      return (await account()).lostToFollowers > 0;
    },
    300_000,
  );
  const after = await settled();
  const found = { told: 0, follower: 0, ring: 0 };
  for await (const line of createInterface({ input: res })) {
    const { lost, where } = JSON.parse(line) as Partial<LostLine>;
    if (lost === undefined || where === undefined) found.told++;
    else found[where] += lost;
    // A pod may have said something more of its own.
    const isAll = found.told + found.follower >= after.taken - before.taken;
    if (isAll && found.ring >= after.lost - before.lost) break;
  }
  res.destroy();
  const end = await settled();
  assert.ok(found.told + found.follower <= end.taken - before.taken && found.ring <= end.lost - before.lost);
  assert.ok(found.follower > 0 && found.told > 0);
  await waitFor("the follower to be gone", async () => /twill_event_followers 0\n/.test(await metrics()));
});

test("a pod whose policies do not fit is closed, alone and loudly, until they do", async () => {
  const ports = Array.from({ length: 1100 }, (_, i) => ({ port: 10_000 + 2 * i }));
  const many = { ...KUBERNETES, metadata: { name: "many-ports", namespace: "default" } };
  const spec = { podSelector: { matchLabels: { app: "crowded" } }, ingress: [{ ports }] };
  writeIn(node.box, "/run/objects/crowded.yaml", documents(podObject("crowded", "crowded"), { ...many, spec }));
  const crowded = await addPod(node, { name: "crowded" });
  const toCrowded = () =>
    probe({ netns: client.netns, protocol: "TCP", to: crowded.addresses[0] ?? "", port: 10_000, timeoutMs: 1_000 });
  const closed = async () => (JSON.parse(await ask("/v1/policy")) as PolicyReport).closed;
  const isClosed = (wanted: boolean) =>
    waitFor("the tables", async () => (await closed()).some((c) => c.name === "default/crowded") === wanted);
  await isClosed(true);
  assert.equal((await toCrowded()).verdict, "timeout", "the ports that it would allow, too");
  const e = await waitFor(
    "the denial to be told",
    async () => (await past("--last", "50", "--pod", "crowded", "--verdict", "denied"))[0],
  );
  assert.deepEqual([e.rule, e.because], [undefined, "Its rules need more than 1024 rows"]);
  assert.equal((await toServer(83, 0, REFUSED_MS)).verdict, "refused", "others are as before");
  assert.match(await metrics(), /^twill_policy_closed_endpoints\{why="overflow"\} 1$/m);
  assert.match(
    await node.cli("status"),
    /! endpoints\.\d+: default\/crowded is closed for ingress: Its rules need more/,
  );
  assert.match(node.log(), /"level":"error".*"endpoint":"default\/crowded".*closed an endpoint, since/);
  writeIn(node.box, "/run/objects/crowded.yaml", documents(podObject("crowded", "crowded")));
  await isClosed(false);
  await waitFor("the pod to say that nobody listens there", async () => (await toCrowded()).verdict === "refused");
});

test("wrong words are told with what would be right", async () => {
  await assert.rejects(node.cli("monitor", "--verdict", "denid"), /"denid" is no verdict: "denied" is/);
  await assert.rejects(node.cli("monitor", "-n", "0"), /"0" is not a number of events/);
});
