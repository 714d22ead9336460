import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, type DemoCast, describeFailure, GROUPS, judge, planChecks } from "./checks.ts";

const cast: DemoCast = {
  pods: [
    { name: "ns/a", node: "node-1", netns: "/a", addresses: ["10.244.1.2", "fd00::1:2"] },
    { name: "ns/b", node: "node-1", netns: "/b", addresses: ["10.244.1.3", "fd00::1:3"] },
    { name: "ns/c", node: "node-2", netns: "/c", addresses: ["10.244.2.2", "fd00::2:2"] },
  ],
  nodes: [
    { name: "node-1", netns: "/n1", addresses: ["192.0.2.1", "fd77::1"] },
    { name: "node-2", netns: "/n2", addresses: ["192.0.2.2", "fd77::2"] },
  ],
  outside: { name: "outside", netns: "/o", addresses: ["198.51.100.10", "2001:db8::10"] },
  mtuBytes: 1450,
};
const checks = planChecks(cast, 1000);

test("every row of the table has checks in every column and both families", () => {
  for (const g of GROUPS) {
    for (const c of COLUMNS) {
      for (const family of [4, 6])
        assert.ok(
          checks.some((k) => k.group === g.key && k.column === c && k.family === family),
          `${g.key} ${c.key} ${family}`,
        );
    }
  }
  const pairs = 2 + 4 + 3 + 3 + 3 + 3 + 3;
  assert.equal(checks.length, pairs * COLUMNS.length * 2);
});

test("full-size packets fill the MTU exactly and are never fragmented", () => {
  const find = (column: string, family: number) =>
    checks.find((c) => c.column.key === column && c.family === family)?.probe;
  assert.equal(find("udp-mtu", 4)?.sizeBytes, 1450 - 28);
  assert.equal(find("icmp-mtu", 6)?.sizeBytes, 1450 - 48);
  assert.equal(find("udp-mtu", 4)?.fragment, "never");
});

test("judge() wants the pod's own address inside, the node's outside", () => {
  const inside = checks.find((c) => c.group === "pod-pod-other-node" && c.family === 4 && c.column.key === "tcp")!;
  const ok = { verdict: "ok", server: inside.to, seenAddress: inside.seen!, ownAddress: inside.seen!, ms: 1 } as const;
  assert.equal(judge(inside, ok), undefined);
  assert.equal(
    judge(inside, { ...ok, seenAddress: "192.0.2.1" }),
    `the server sees 192.0.2.1 instead of ${inside.seen}`,
  );
  assert.match(judge(inside, { ...ok, server: "ns/x" })!, /answered by "ns\/x"/);
  assert.equal(judge(inside, { verdict: "timeout", ms: 1 }), "no answer");
  const outside = checks.find((c) => c.group === "pod-outside" && c.from === "ns/c" && c.family === 6)!;
  assert.equal(outside.seen, "fd77::2");
  const fromNode = checks.find((c) => c.group === "node-own-pod")!;
  assert.equal(
    judge(fromNode, { ...ok, server: fromNode.to, seenAddress: "10.244.1.1", ownAddress: "10.244.1.1" }),
    undefined,
  );
  assert.match(
    judge(fromNode, { ...ok, server: fromNode.to, seenAddress: "10.244.1.1", ownAddress: "192.0.2.1" })!,
    /the server sees/,
  );
});

test("a failure names sender, receiver, packet and reason", () => {
  const check = checks.find((c) => c.group === "pod-outside" && c.column.key === "udp-fragments" && c.family === 4)!;
  assert.equal(
    describeFailure(check, "no answer").text,
    "ns/a → outside (198.51.100.10), UDP port 81 with 4000 bytes, in fragments: no answer",
  );
});

test("what a family lacks is not asked for: nodes without IPv4 lend no address outside", () => {
  const six = {
    ...cast,
    nodes: cast.nodes.map((n) => ({ ...n, addresses: n.addresses.filter((a) => a.includes(":")) })),
  };
  const groups = new Set(
    planChecks(six, 1000)
      .filter((c) => c.family === 4)
      .map((c) => c.group),
  );
  assert.deepEqual([...groups].toSorted(), ["pod-pod-other-node", "pod-pod-same-node"]);
});
