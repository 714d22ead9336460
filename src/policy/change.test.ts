import assert from "node:assert/strict";
import { test } from "node:test";
import type { Labels } from "../model/intern.ts";
import { type Addr, addr } from "../net/addr.ts";
import { changeTables, EMPTY_TABLES, type TableWrite } from "./change.ts";
import { createCompiler } from "./compile.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "./dialects/kubernetes.ts";
import type { LiteralCluster } from "./literal/flow.ts";
import { lookup } from "./lookup.ts";
import { createPartition } from "./partition.ts";
import { verdictText } from "./set.ts";
import type { ClassRow, EndpointClasses, PolicyTables, SetRow } from "./table.ts";
import { compileNode, stepsOfNode } from "./testing/compiled.ts";
import { generateCluster } from "./testing/generate.ts";
import { parseCluster } from "./testing/parse.ts";
import { createRandom } from "./testing/random.ts";

/** Tables as a kernel has them: written one entry after the other. */
function kernel() {
  const classes = new Map<number, ClassRow>();
  const peers = new Map<number, Map<number, number>>();
  const sets = new Map<number, readonly SetRow[]>();
  const endpoints = new Map<string, EndpointClasses>();
  function put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
  const tables: PolicyTables = { ...EMPTY_TABLES, classes, peers, sets, endpoints };
  function write(w: TableWrite): void {
    if (w.table === "sets") put(sets, w.set, w.rows);
    else if (w.table === "classes") put(classes, w.class, w.row);
    else if (w.table === "endpoints") put(endpoints, w.key, w.classes);
    else {
      const of = peers.get(w.class) ?? new Map<number, number>();
      put(of, w.identity, w.set);
      put(peers, w.class, of.size === 0 ? undefined : of);
    }
  }
  return { tables, write };
}

const TRAFFIC = [
  [6, 80],
  [17, 53],
  [1, 0x0800],
] as const;

/** The kernel's ipcache, for the addresses that a test asks about. */
type Ipcache = Map<string, number>;

/** What the kernel says for each endpoint, peer, direction and traffic. */
function cells(
  tables: PolicyTables,
  ipcache: Ipcache,
  keys: readonly string[],
  addrs: readonly Addr[],
): Map<string, string> {
  const out = new Map<string, string>();
  for (const key of keys)
    for (const a of addrs)
      for (const direction of ["ingress", "egress"] as const)
        for (const [protocol, port] of TRAFFIC) {
          const number = tables.endpoints.get(key)?.[direction] ?? 0;
          const identity = ipcache.get(a.text) ?? 0;
          const verdict = lookup(tables, { class: number, identity, family: a.family, protocol, port });
          out.set(`${key} ${direction} ${a.text} ${protocol}/${port}`, verdictText(verdict));
        }
  return out;
}

function relabel(cluster: LiteralCluster, name: string, labels: Labels): LiteralCluster {
  return { ...cluster, pods: cluster.pods.map((p) => (p.name === name ? { ...p, labels } : p)) };
}

test("after every single write each flow has the answer from before the change or the one from after it", () => {
  let writes = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const r = createRandom(seed);
    const cluster = parseCluster(generateCluster(seed));
    const other = parseCluster(generateCluster(seed + 7000));
    const policies = [
      ...[...cluster.networkPolicies, ...other.networkPolicies].map(translateNetworkPolicy),
      ...[...cluster.clusterPolicies, ...other.clusterPolicies].map(translateClusterNetworkPolicy),
    ];
    const addrs = [
      ...cluster.pods.flatMap((p) => p.podIps),
      ...["8.8.8.8", "10.244.1.3", "192.168.77.11", "2001:db8::1"].map(addr),
    ];
    const machine = { compiler: createCompiler(), partition: createPartition() };
    const { tables, write } = kernel();
    const ipcache: Ipcache = new Map();
    let some: typeof policies = [];
    let now = cluster;
    for (let turn = 0; turn < 6; turn++) {
      // One change at a time: the policies, or the labels of a pod. Of two at once either may show first.
      const relabelled = r.pick(cluster.pods);
      if (turn % 2 === 0) some = policies.filter(() => r.oneIn(2));
      else now = relabel(now, relabelled.name, r.pick(cluster.pods).labels);
      const fresh = compileNode(now, "node-1", { policies: some });
      const keys = [...fresh.tables.endpoints.keys()];
      const end = cells(
        fresh.tables,
        new Map(addrs.map((a) => [a.text, fresh.partition.identityOf(a).number])),
        keys,
        addrs,
      );
      const start = cells(tables, ipcache, keys, addrs);
      const rulesAt = (text: string | undefined) => text?.replace(/\d+/g, "#");
      const check = (where: string) => {
        const found = cells(tables, ipcache, keys, addrs);
        for (const [cell, verdict] of found) {
          const wanted = [rulesAt(start.get(cell)), rulesAt(end.get(cell))];
          assert.ok(
            wanted.includes(rulesAt(verdict)),
            `seed ${seed} turn ${turn} ${where}: ${cell} is ${verdict}, wanted ${wanted.join(" or ")}`,
          );
        }
        writes++;
      };
      for (const { tables: to, change } of stepsOfNode(now, "node-1", { ...machine, policies: some })) {
        const { before, after } = change;
        for (const w of before) {
          write(w);
          check(JSON.stringify(w));
        }
        for (const a of addrs) {
          ipcache.set(a.text, machine.partition.identityOf(a).number);
          check(`ipcache ${a.text}`);
        }
        for (const w of after) {
          write(w);
          check(JSON.stringify(w));
        }
        for (const name of ["classes", "sets", "endpoints", "peers"] as const)
          assert.deepEqual(
            new Map<unknown, unknown>(tables[name]),
            new Map<unknown, unknown>(to[name]),
            `${name} of seed ${seed}`,
          );
      }
      const found = cells(tables, ipcache, keys, addrs);
      for (const [cell, verdict] of end) assert.equal(rulesAt(found.get(cell)), rulesAt(verdict), cell);
    }
  }
  assert.ok(writes > 500, `only ${writes} writes`);
});

test("what is the same is not written again", () => {
  const cluster = parseCluster(generateCluster(3));
  const { tables } = compileNode(cluster, "node-1");
  assert.deepEqual(changeTables(tables, tables), { before: [], after: [] });
});

test("an identity that is gone keeps the default it had until the ipcache no longer names it", () => {
  const answer = { isAllowed: true, rule: 1, logRule: 0, staged: undefined };
  const rows: readonly SetRow[] = [{ prefixLength: 32, protocol: 0, port: 0, verdict: answer }];
  const sets = new Map([1, 2].map((n) => [n, rows]));
  const row = (set: number) => new Map([[1, { set4: set, set6: set }]]);
  const from: PolicyTables = { ...EMPTY_TABLES, sets, classes: row(1), identities: new Map([[10, 4]]) };
  const split = new Map<number, 4 | 6>([11, 12].map((n) => [n, 4]));
  const peers = new Map([[1, new Map([[11, 1]])]]);
  assert.deepEqual(changeTables(from, { ...from, classes: row(2), peers, identities: split }), {
    before: [
      { table: "peers", class: 1, identity: 11, set: 1 },
      { table: "peers", class: 1, identity: 10, set: 1 },
      { table: "classes", class: 1, row: { set4: 2, set6: 2 } },
    ],
    after: [{ table: "peers", class: 1, identity: 10, set: undefined }],
  });
});
