import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_NODES, topology } from "./topology.ts";

test("nodes have addresses of their own in both families", () => {
  const t = topology(MAX_NODES);
  for (const key of ["v4", "v6", "mac", "name"] as const)
    assert.equal(new Set(t.nodes.map((n) => n[key])).size, MAX_NODES, key);
  assert.deepEqual([t.nodes[0]!.v4, t.nodes[0]!.v6, t.nodes[0]!.name], ["192.168.77.11", "fd00:77::11", "node-1"]);
  assert.equal(t.nodes.at(-1)!.v4, "192.168.77.210");
});

test("counts outside the range are refused", () => {
  for (const n of [0, MAX_NODES + 1, 1.5]) assert.throws(() => topology(n), RangeError);
});
