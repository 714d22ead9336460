/** The benchmarks run and say what they promise. What they find is not judged here: a test's machine may be busy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kubeProxyProgram } from "../../bench/services/peers.ts";
import { runProcess } from "../../src/lab/run.ts";

const MAIN = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly twill: number;
  readonly peers: Record<string, number>;
  readonly ratios: Record<string, number>;
  readonly rounds: number;
}

async function rowsOf(what: string): Promise<Map<string, Row>> {
  const argv = [process.execPath, MAIN, what, "--json", "--quick", "--rounds", "1"];
  const output = await runProcess(argv, { timeoutMs: 240_000, env: process.env });
  assert.equal(output.code, 0, output.stderr.slice(-3000));
  const { rows } = JSON.parse(output.stdout.trim().split("\n").at(-1)!) as { rows: Row[] };
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ["name", "unit", "twill", "peers", "ratios", "rounds"]);
    // In one short round on a busy machine nothing at all may have come through; a time is never nothing.
    const mayBeNothing = /rate$|throughput$|rest\.cpu$/.test(row.name);
    assert.ok(row.twill > 0 || mayBeNothing, `${row.name} of Twill is ${row.twill}`);
    assert.equal(row.rounds, 1);
    for (const [peer, value] of Object.entries(row.peers)) {
      assert.ok(value > 0 || mayBeNothing, `${row.name} of ${peer} is ${value}`);
      if (row.twill === 0 || value === 0) continue;
      const off = Math.abs((row.ratios[peer] ?? 0) / (row.twill / value) - 1);
      assert.ok(off < 0.01, `${row.name}: ${row.ratios[peer]} to ${peer} is not ${row.twill} over ${value}`);
    }
  }
  return new Map(rows.map((row) => [row.name, row]));
}

test("bench cni", async () => {
  const rows = await rowsOf("cni");
  for (const name of ["cni.add.p50", "cni.add.p99", "cni.del.p50", "cni.parallel64.rate"]) {
    assert.deepEqual(Object.keys(rows.get(name)?.peers ?? {}), ["bridge+host-local", "ptp+host-local"], name);
  }
  const chained = Object.keys(rows.get("cni.portmap.add.p50")?.peers ?? {});
  assert.deepEqual(chained, ["bridge+host-local+portmap", "ptp+host-local+portmap"]);
});

test("bench path", async () => {
  const rows = await rowsOf("path");
  for (const figure of ["rtt.p50", "rtt.p99", "conn-rate", "throughput"]) {
    const near = Object.keys(rows.get(`same-node.${figure}`)?.peers ?? {});
    assert.deepEqual(near, ["direct-veth", "bridge", "kernel-routing"], figure);
    const far = Object.keys(rows.get(`cross-node.vxlan.${figure}`)?.peers ?? {});
    assert.deepEqual(far, ["kernel-routing", "kernel-vxlan+bridge"], figure);
  }
});

test("bench policy", async () => {
  const rows = await rowsOf("policy");
  for (const what of ["cold", "heap", "policy-change.p50", "namespace-label.p99", "applied.policy.p99", "applied.rss"])
    assert.ok(rows.has(`policy.200.${what}`), what);
  const peers = ["iptables", "iptables+ipset", "nft", "nft+sets"];
  for (const what of ["rtt.p50", "rtt.p99", "conn-rate"])
    assert.deepEqual(
      Object.keys(rows.get(`policy.200.${what}`)?.peers ?? {}).sort(),
      [...peers, "kernel-routing", "twill-without-rules"].sort(),
      what,
    );
  assert.deepEqual(Object.keys(rows.get("policy.200.load")?.peers ?? {}), peers);
});

test("bench scale", async () => {
  const rows = await rowsOf("scale");
  const wanted = [
    "start",
    "start.known",
    "start.cpu",
    "rest.rss",
    "rest.pss",
    "rest.heap",
    "changes.cpu",
    "changes.p99",
    "changes.peak",
  ];
  for (const what of wanted) assert.ok(rows.has(`scale.1000.${what}`), what);
  const [rss = 0, own = 0, heap = 0] = ["rss", "anonymous", "heap"].map((x) => rows.get(`scale.1000.rest.${x}`)?.twill);
  assert.ok(rss > own && own > heap && heap > 5, `${rss}, ${own} and ${heap} MB are not what a process has`);
});

test("bench services", async () => {
  const rows = await rowsOf("services");
  const peers = ["direct", "nftables-map", ...(kubeProxyProgram() === undefined ? [] : ["kube-proxy-iptables"])];
  for (const what of ["conn-rate", "conn.p50", "conn.p99"])
    assert.deepEqual(Object.keys(rows.get(`services.40.${what}`)?.peers ?? {}).sort(), peers.sort(), what);
  for (const what of ["load", "applied.p99", "rss"]) assert.ok(rows.has(`services.40.${what}`), what);
});

test("a wrong call is refused with what would be right", async () => {
  for (const args of [[], ["speed"], ["path", "--rounds", "0"], ["path", "--rounds", "x"]]) {
    const output = await runProcess([process.execPath, MAIN, ...args], { env: process.env });
    assert.equal(output.code, 2, args.join(" "));
    assert.match(output.stderr, /cni\|path\|pods\|policy\|scale/);
    assert.equal(output.stdout, "");
  }
});
