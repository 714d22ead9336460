/**
 * ```mermaid
 * flowchart LR
 *   n1[node-1] & n2[node-2] --- br((wire)) --- r[router] --- outside
 * ```
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cgroup2Root } from "../../src/kernel/linux/control-group.ts";
import { type Box, openBox, runIn } from "../../src/lab/box.ts";
import { sweepBoxGroups } from "../../src/lab/control-group.ts";
import { type ProbeSpec, probe, probeAll } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { isAlive, type ProcessId } from "../../src/lab/process.ts";
import { topology } from "../../src/lab/topology.ts";
import { ipBatch, openNodeBox, openUnderlay, plugNode, type Underlay } from "../../src/lab/underlay.ts";
import { until } from "./wait.ts";

const t = topology(2);
const CGROUP2 = cgroup2Root();
let underlay: Underlay;
let nodes: Box[];
const responder = new Responder();

before(async () => {
  underlay = await openUnderlay(t);
  nodes = await Promise.all(t.nodes.map(openNodeBox));
  await Promise.all(nodes.map((box, i) => plugNode(underlay.wire, box, t.nodes[i]!, t)));
  const hosts = [
    { name: "node-2", netns: nodes[1]!.netns, addresses: [t.nodes[1]!.v4, t.nodes[1]!.v6] },
    { name: "outside", netns: underlay.outside.netns, addresses: [t.outside.v4, t.outside.v6] },
  ];
  for (const h of hosts) {
    await responder.serve(h, { port: 80, protocol: "TCP" });
    await responder.serve(h, { port: 81, protocol: "UDP" });
  }
});

function noGroups(): string | false {
  return CGROUP2 === undefined && "this machine has no cgroup2";
}

after(async () => {
  responder[Symbol.dispose]();
  await Promise.all([...nodes, underlay.wire, underlay.outside, underlay.api].map((b) => b.close()));
});

function from(more: Omit<ProbeSpec, "netns">): ProbeSpec {
  return { netns: nodes[0]!.netns, timeoutMs: 20_000, ...more };
}

test("every protocol and size reaches other nodes and the outside host, and the server names both ends", async () => {
  const targets = [t.nodes[1]!.v4, t.nodes[1]!.v6, t.outside.v4, t.outside.v6];
  const specs = targets.flatMap((to) => [
    from({ to, protocol: "TCP", port: 80, sizeBytes: 200_000 }),
    from({ to, protocol: "UDP", port: 81, sizeBytes: 1_400, fragment: "never" }),
    from({ to, protocol: "UDP", port: 81, sizeBytes: 9_000, fragment: "allowed" }),
    from({ to, protocol: "ICMP", port: 0 }),
    from({ to, protocol: "ICMP", port: 0, sizeBytes: 9_000, fragment: "allowed" }),
  ]);
  const results = await probeAll(specs);
  assert.equal(results.length, 20);
  for (const [i, r] of results.entries()) {
    assert.equal(r.verdict, "ok", `${JSON.stringify(specs[i])} ${r.reason}`);
    if (specs[i]!.protocol === "ICMP") continue;
    assert.equal(r.seenAddress, r.ownAddress);
    assert.equal(r.seenPort, r.ownPort);
    assert.equal(r.server, specs[i]!.to.startsWith("198") || specs[i]!.to.startsWith("2001") ? "outside" : "node-2");
  }
});

test("a closed port is refused, a silent one times out, a packet that may not be fragmented is too long", async () => {
  await ipBatch(underlay.outside, ["route add blackhole 192.168.77.11/32"]);
  const cases: [Omit<ProbeSpec, "netns">, string, string][] = [
    [{ to: t.nodes[1]!.v4, protocol: "TCP", port: 82 }, "refused", "ECONNREFUSED"],
    [{ to: t.nodes[1]!.v6, protocol: "UDP", port: 82 }, "refused", "ECONNREFUSED"],
    [{ to: t.outside.v4, protocol: "TCP", port: 80, timeoutMs: 200 }, "timeout", "TIMEOUT"],
    [{ to: t.outside.v4, protocol: "UDP", port: 81, timeoutMs: 200 }, "timeout", "TIMEOUT"],
    [{ to: t.outside.v4, protocol: "ICMP", port: 0, timeoutMs: 200 }, "timeout", "TIMEOUT"],
    [{ to: t.nodes[1]!.v4, protocol: "UDP", port: 81, sizeBytes: 1_473, fragment: "never" }, "refused", "EMSGSIZE"],
  ];
  for (const [spec, verdict, reason] of cases) {
    const r = await probe(from(spec));
    assert.deepEqual([r.verdict, r.reason], [verdict, reason], JSON.stringify(spec));
  }
  await ipBatch(underlay.outside, ["route del blackhole 192.168.77.11/32"]);
});

test("a node has a name, files, bpffs and processes of its own", async () => {
  const [one, two] = nodes;
  writeFileSync(`${one!.root}/etc/cni/net.d/x`, "1");
  assert.equal(existsSync(`${two!.root}/etc/cni/net.d/x`), false);
  assert.equal(existsSync("/etc/cni/net.d/x"), false);
  const say = async (command: string) => (await runIn(one!, ["sh", "-c", command])).stdout.trim();
  assert.equal(await say("cat /proc/sys/kernel/hostname"), "node-1");
  assert.equal(await say("ls /sys/class/net"), "eth0\nlo");
  assert.equal(await say("stat -f -c %T /sys/fs/bpf"), "bpf_fs");
  assert.equal(await say("cat /proc/1/comm"), "bash");
});

test("a node has a control group of its own, which is the root of all that it sees", { skip: noGroups() }, async () => {
  const say = async (command: string) => (await runIn(nodes[0]!, ["sh", "-c", command])).stdout.trim();
  const inside = await say("cat /proc/self/cgroup");
  assert.match(inside, new RegExp(`^0::/twill-lab/${process.pid}[.][0-9]+[.][0-9]+-node-1/main$`, "m"));
  assert.equal(await say(`ls -d ${CGROUP2}/*/`), `${CGROUP2}/main/`);
});

test("a box whose set-up fails says why and leaves no process", async () => {
  await assert.rejects(
    openBox({ name: "bad", setUp: ["echo broken >&2; false"] }),
    /Cannot make the box "bad": its set-up ended with status 1: broken/,
  );
});

test("a box ends, with all that runs in it, when the process that made it is killed", async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("box-owner.ts", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const ids = JSON.parse(line) as ProcessId[];
  assert.equal(ids.length, 3);
  for (const id of ids) assert.ok(isAlive(id));
  child.kill("SIGKILL");
  await until(() => ids.every((id) => !isAlive(id)), "the box's processes to end");
  if (CGROUP2 === undefined) return;
  const groups = () => (existsSync(`${CGROUP2}/twill-lab`) ? readdirSync(`${CGROUP2}/twill-lab`) : []);
  // The group outlives its box, unless another lab has swept; who is on the way out of it keeps it for a moment.
  await until(() => {
    sweepBoxGroups();
    return groups().every((name) => !name.startsWith(`${child.pid}.`));
  }, "the box's group to be swept");
});
