import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addr } from "../net/addr.ts";
import { prefix, prefixCovers, prefixesOverlap } from "../net/prefix.ts";
import { rangeOf, rangeOfPrefix } from "../net/range.ts";
import { type CarveNode, type ClusterPool, carveNodeCidrs, clusterPoolIssues } from "./carve.ts";

const pool = (cidr: string, nodeLength: number) => ({ prefix: prefix(cidr), nodeLength });
const node = (name: string, ...cidrs: readonly string[]): CarveNode => ({ name, podCidrs: cidrs.map(prefix) });
const DUAL = [pool("10.244.0.0/16", 24), pool("fd00:10:244::/48", 64)];

function carve(pools: readonly ClusterPool[], nodes: readonly CarveNode[]) {
  const { assigned, issues } = carveNodeCidrs(pools, nodes);
  return {
    assigned: Object.fromEntries(Array.from(assigned, ([n, p]) => [n, p.map((x) => x.cidr.text).join(" ")])),
    issues: issues.map((i) => i.message),
  };
}

test("each node gets one block of each family, the lowest free ones", () => {
  assert.deepEqual(carve(DUAL, [node("a"), node("b", "10.244.1.0/24", "fd00:10:244::/64"), node("c")]), {
    assigned: { a: "10.244.0.0/24 fd00:10:244:1::/64", c: "10.244.2.0/24 fd00:10:244:2::/64" },
    issues: [],
  });
});

test("what nodes have is left alone, also when it is of another length", () => {
  assert.deepEqual(
    carve([pool("10.0.0.0/22", 24)], [node("old", "10.0.0.0/23"), node("tiny", "10.0.2.128/26"), node("new")]),
    {
      assigned: { new: "10.0.3.0/24" },
      issues: [],
    },
  );
});

test("a later pool of the family serves when the first is used up", () => {
  const pools = [pool("10.0.0.0/24", 24), pool("10.9.0.0/24", 25)];
  assert.deepEqual(carve(pools, [node("a"), node("b"), node("c")]).assigned, {
    a: "10.0.0.0/24",
    b: "10.9.0.0/25",
    c: "10.9.0.128/25",
  });
});

test("exhaustion names the pool; a node gets all families or none, and wastes nothing", () => {
  const got = carve([pool("10.0.0.0/23", 24), pool("fd00::/48", 64)], [node("a"), node("b"), node("c")]);
  assert.deepEqual(Object.keys(got.assigned), ["a", "b"]);
  assert.deepEqual(got.issues, [
    'No pod CIDR is left for node "c" in "10.0.0.0/23" (2 blocks of /24, 0 free): add a cluster CIDR',
  ]);
});

const labelled = (name: string, rack: string, ...cidrs: string[]): CarveNode => ({
  ...node(name, ...cidrs),
  labels: new Map([["rack", rack]]),
});
const forRack = (name: string, cidr: string, nodeLength: number, rack: string) => ({
  ...pool(cidr, nodeLength),
  name,
  isFor: (labels: ReadonlyMap<string, string>) => labels.get("rack") === rack,
});

test("a node is given blocks of the first pool that is for it and has one", () => {
  const pools = [forRack("a", "10.1.0.0/24", 24, "a"), { ...pool("10.9.0.0/16", 24), name: "all" }];
  const nodes = [labelled("n1", "a"), labelled("n2", "b"), labelled("n3", "a"), node("n4")];
  const { assigned } = carveNodeCidrs(pools, nodes);
  const given = Array.from(assigned, ([n, g]) => `${n} ${g.map((x) => `${x.cidr.text} of ${x.pool.name}`).join()}`);
  assert.deepEqual(given, [
    "n1 10.1.0.0/24 of a",
    "n2 10.9.0.0/24 of all",
    "n3 10.9.1.0/24 of all",
    "n4 10.9.2.0/24 of all",
  ]);
});

test("a node that no pool of a family selects is given nothing: what it lacks could never be added", () => {
  const pools = [forRack("a", "10.1.0.0/24", 24, "a"), { ...pool("fd00::/48", 64), name: "six" }];
  assert.deepEqual(carve(pools, [labelled("n1", "b"), labelled("n2", "a")]), {
    assigned: { n2: "10.1.0.0/24 fd00::/64" },
    issues: ['No IPPool of IPv4 selects node "n1": without one it is given no CIDR of any family'],
  });
});

test("blocks that are reserved as a whole are given to nobody; a few reserved addresses cost no block", () => {
  const reserved = [rangeOfPrefix(prefix("10.0.0.0/23")), rangeOf(addr("10.0.2.5"), addr("10.0.2.9"))];
  assert.deepEqual(carve([{ ...pool("10.0.0.0/22", 24), name: "p", reserved }], [node("a"), node("b"), node("c")]), {
    assigned: { a: "10.0.2.0/24", b: "10.0.3.0/24" },
    issues: ['No pod CIDR is left for node "c" in "10.0.0.0/22" (4 blocks of /24, 0 free): add an IPPool'],
  });
});

test("what a node was given of a pool that is gone is no stray, and is given to nobody else", () => {
  const old: CarveNode = { ...node("old", "10.0.1.0/24"), poolCidrs: [prefix("10.0.0.0/16")] };
  assert.deepEqual(carve([pool("10.0.0.0/22", 24)], [old, node("new"), node("next")]), {
    assigned: { new: "10.0.0.0/24", next: "10.0.2.0/24" },
    issues: [],
  });
  assert.deepEqual(carve([pool("10.7.0.0/22", 24)], [old]).issues, []);
});

test("overlaps, strays and a missing family are reported", () => {
  const nodes = [
    node("a", "10.244.1.0/24", "fd00:10:244:1::/64"),
    node("b", "10.244.0.0/20"),
    node("c", "192.168.0.0/24"),
  ];
  assert.deepEqual(carve(DUAL, nodes).issues, [
    'Pod CIDR "10.244.1.0/24" of node "a" overlaps "10.244.0.0/20" of node "b"',
    'Node "b" has no IPv6 pod CIDR, and Kubernetes lets none be added: make the node object anew',
    'Pod CIDR "192.168.0.0/24" of node "c" is in no cluster CIDR',
    'Node "c" has no IPv6 pod CIDR, and Kubernetes lets none be added: make the node object anew',
  ]);
});

test("the same CIDR on two nodes is an overlap", () => {
  assert.deepEqual(
    carve([pool("10.244.0.0/16", 24)], [node("a", "10.244.1.0/24"), node("b", "10.244.1.0/24")]).issues,
    ['Pod CIDR "10.244.1.0/24" of node "b" overlaps "10.244.1.0/24" of node "a"'],
  );
});

test("pools that cannot be carved are reported", () => {
  assert.deepEqual(
    clusterPoolIssues([pool("10.0.0.0/16", 31), pool("10.0.4.0/24", 20), pool("fd00::/64", 80)]).map(
      (i) => `${i.path}: ${i.message}`,
    ),
    [
      '[0].nodeLength: Node prefix length 31 of "10.0.0.0/16" is outside 16 to 30',
      '[1].nodeLength: Node prefix length 20 of "10.0.4.0/24" is outside 24 to 30',
      '[1]: "10.0.4.0/24" overlaps "10.0.0.0/16"',
    ],
  );
  assert.deepEqual(clusterPoolIssues(DUAL), []);
});

test("carving any nodes never overlaps, stays in the pools, and repeats itself", () => {
  const some = fc.array(fc.option(fc.nat(15), { nil: undefined }), { maxLength: 24 });
  fc.assert(
    fc.property(some, fc.integer({ min: 24, max: 28 }), (owned, length) => {
      const used = new Set<number>();
      const nodes = owned.map((n, i) => {
        if (n === undefined || used.has(n)) return node(`n${i}`);
        used.add(n);
        return node(`n${i}`, `10.0.${n}.0/24`);
      });
      const pools = [pool("10.0.0.0/20", length)];
      const { assigned } = carveNodeCidrs(pools, nodes);
      assert.deepEqual(carveNodeCidrs(pools, nodes).assigned, assigned);
      const all = [
        ...nodes.flatMap((n) => n.podCidrs),
        ...[...assigned.values()].flatMap((given) => given.map((g) => g.cidr)),
      ];
      for (const [i, p] of all.entries()) {
        assert.ok(prefixCovers(prefix("10.0.0.0/20"), p));
        for (const q of all.slice(0, i)) assert.ok(!prefixesOverlap(p, q), `${p.text} and ${q.text}`);
      }
      const room = (16 - used.size) * 2 ** (length - 24);
      assert.equal(assigned.size, Math.min(room, nodes.filter((n) => n.podCidrs.length === 0).length));
    }),
  );
});

test("a thousand nodes are carved in one walk", () => {
  const nodes = Array.from({ length: 1000 }, (_, i) => node(`n${i}`));
  const { assigned, issues } = carveNodeCidrs([pool("10.0.0.0/8", 24), pool("fd00:10:244::/48", 64)], nodes);
  assert.equal(assigned.size, 1000);
  assert.equal(issues.length, 0);
  assert.deepEqual(
    assigned.get("n999")?.map((p) => p.cidr.text),
    ["10.3.231.0/24", "fd00:10:244:3e7::/64"],
  );
});
