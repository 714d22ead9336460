import assert from "node:assert/strict";
import { test } from "node:test";
import { type Addr, addr } from "../net/addr.ts";
import { changeTables, EMPTY_TABLES, type TableChange, type TableWrite } from "./change.ts";
import { infoKey } from "./classes.ts";
import { createCompiler } from "./compile.ts";
import type { LiteralCluster } from "./literal/flow.ts";
import { createPartition, type Partition } from "./partition.ts";
import { type CompileLimits, DEFAULT_LIMITS } from "./room.ts";
import { defaultSet, type PolicyTables, type Verdict } from "./table.ts";
import { compileNode, stepsOfNode } from "./testing/compiled.ts";
import { mixedCluster } from "./testing/mixed.ts";
import { createRandom, type Random } from "./testing/random.ts";

const NODE = "node-1";
const SIDES = ["ingress", "egress"] as const;

/** As they are now, whatever becomes of them. */
function copyOf(t: PolicyTables): PolicyTables {
  return {
    classes: new Map(t.classes),
    peers: new Map(t.peers),
    sets: new Map(t.sets),
    endpoints: new Map(t.endpoints),
    identities: new Map(t.identities),
    rules: new Map(t.rules),
    overflow: new Map(t.overflow),
  };
}

/** What the tables say, without their numbers: the answer of each endpoint to each address, row by row, and why it has none. */
function meaningOf(t: PolicyTables, partition: Partition, addrs: readonly Addr[]): Map<string, string> {
  const nameOf = (rule: number) => (rule === 0 ? "none" : infoKey(t.rules.get(rule) ?? assert.fail(`No rule ${rule}`)));
  const textOf = (v: Verdict) =>
    [v.isAllowed, nameOf(v.rule), nameOf(v.logRule), v.staged?.isAllowed, nameOf(v.staged?.rule ?? 0)].join();
  const out = new Map<string, string>();
  for (const [key, of] of t.endpoints)
    for (const side of SIDES) {
      const number = of[side];
      const row = t.classes.get(number);
      out.set(`${key} ${side} overflow`, t.overflow.get(number) ?? "fits");
      if (row === undefined) assert.fail(`Endpoint "${key}" has no class for ${side}`);
      for (const a of addrs) {
        const { number: identity, family } = partition.identityOf(a);
        const set = t.peers.get(number)?.get(identity) ?? defaultSet(row, family);
        const rows = t.sets.get(set)?.map((r) => `${r.prefixLength} ${r.protocol}/${r.port} ${textOf(r.verdict)}`);
        out.set(`${key} ${side} ${a.text}`, rows?.sort().join("\n") ?? "no set");
      }
    }
  return out;
}

function sizesOf(t: PolicyTables) {
  const sum = (sizes: Iterable<number>) => [...sizes].reduce((a, b) => a + b, 0);
  return {
    classes: t.classes.size,
    peers: sum([...t.peers.values()].map((of) => of.size)),
    sets: t.sets.size,
    rows: sum([...t.sets.values()].map((rows) => rows.length)),
    identities: t.identities.size,
    overflow: t.overflow.size,
  };
}

/** Writes by their tables, which matters, and within them in no order. */
function sortedWrites(writes: readonly TableWrite[]): string[] {
  const runs: string[][] = [];
  for (const [i, w] of writes.entries()) {
    if (i === 0 || writes[i - 1]?.table !== w.table) runs.push([]);
    runs.at(-1)?.push(JSON.stringify(w));
  }
  return runs.flatMap((run) => run.sort());
}

const asWritten = ({ before, after }: TableChange) => [sortedWrites(before), sortedWrites(after)];

/** Pods come and go and are relabelled, one or several at a time. */
function changed(r: Random, whole: LiteralCluster, now: LiteralCluster): LiteralCluster {
  if (r.oneIn(4))
    return { ...now, namespaces: now.namespaces.map((n) => ({ ...n, labels: r.pick(whole.namespaces).labels })) };
  if (r.oneIn(3)) return { ...now, pods: whole.pods.filter(() => !r.oneIn(4)) };
  const at = r.pick(now.pods);
  return { ...now, pods: now.pods.map((p) => (p === at ? { ...p, labels: r.pick(whole.pods).labels } : p)) };
}

/** Follows random changes with one compiler, and compiles each state anew with another. @returns how often something did not fit */
function follow(seed: number, limits: CompileLimits): number {
  const r = createRandom(seed);
  const [one, two] = [mixedCluster(seed).source, mixedCluster(seed + 5000).source];
  const all = [...one.policies, ...two.policies];
  const addrs = [
    ...one.cluster.pods.flatMap((p) => p.podIps),
    ...["8.8.8.8", "203.0.113.7", "10.244.1.200", "192.168.77.11", "2001:db8::7"].map(addr),
  ];
  const machine = { compiler: createCompiler(limits), partition: createPartition() };
  let now = one.cluster;
  let some = all.filter(() => r.oneIn(3));
  let last = EMPTY_TABLES;
  let misfits = 0;
  for (let turn = 0; turn < 10; turn++) {
    if (turn > 0 && r.oneIn(2)) now = changed(r, one.cluster, now);
    else if (r.oneIn(4)) some = all.filter(() => r.oneIn(3));
    else some = all.filter((p) => some.includes(p) !== r.oneIn(all.length));
    const options = { tiers: one.tiers, views: one.views, policies: some };
    const there = new Set(now.pods.flatMap((p) => p.podIps.map((a) => a.text)));
    for (const p of one.cluster.pods) for (const a of p.podIps) if (!there.has(a.text)) machine.partition.delete(a);
    for (const { tables, change } of stepsOfNode(now, NODE, { ...options, ...machine })) {
      const next = copyOf(tables);
      assert.deepEqual(asWritten(change), asWritten(changeTables(last, next)), `seed ${seed} turn ${turn}`);
      last = next;
    }
    const fresh = compileNode(now, NODE, { ...options, compiler: createCompiler(limits) });
    const where = `seed ${seed} turn ${turn} limits ${JSON.stringify(limits)}`;
    assert.deepEqual(sizesOf(last), sizesOf(fresh.tables), where);
    assert.deepEqual(meaningOf(last, machine.partition, addrs), meaningOf(fresh.tables, fresh.partition, addrs), where);
    misfits += last.overflow.size;
  }
  return misfits;
}

const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
const count = Number(process.env["TWILL_POLICY_INCREMENTAL"] ?? 25);

test("what follows changes is what is compiled anew, and the change leads to it", () => {
  for (let seed = first; seed < first + count; seed++) assert.equal(follow(seed, DEFAULT_LIMITS), 0);
});

test("what does not fit is the same as in a compilation from nothing, for every limit, and comes back", () => {
  const misfits = { class: 0, sets: 0, peers: 0, identities: 0, addresses: 0, classes: 0 };
  for (let seed = first; seed < first + count; seed++) {
    misfits.class += follow(seed, { ...DEFAULT_LIMITS, setRowsPerClass: 8 + (seed % 40) });
    misfits.sets += follow(seed, { ...DEFAULT_LIMITS, setRows: 10 + (seed % 60) });
    misfits.peers += follow(seed, { ...DEFAULT_LIMITS, peerRows: 3 + (seed % 20) });
    const known = compileNode(mixedCluster(seed).source.cluster, NODE).partition.knownRows();
    misfits.identities += follow(seed, { ...DEFAULT_LIMITS, identityRows: known + (seed % 4) });
    misfits.addresses += follow(seed, { ...DEFAULT_LIMITS, identityRows: known - 1 - (seed % 3) });
    misfits.classes += follow(seed, { ...DEFAULT_LIMITS, classes: 5 + (seed % 4) });
  }
  for (const [limit, n] of Object.entries(misfits))
    assert.ok(n > count / 2, `only ${n} classes did not fit by ${limit}`);
});
