import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDPOINTS_MAP } from "../plan/endpoint.ts";
import { FakeNode } from "./cni/fake-node.ts";
import { checkIpam, fixIpam } from "./ipam-check.ts";

/** A node with two pods. */
function nodeWithPods(): FakeNode {
  const node = new FakeNode();
  for (const name of ["a", "b"]) {
    const done = node.add(name);
    assert.equal(done.exitCode, 0, JSON.stringify(done.json));
  }
  return node;
}

const kinds = (node: FakeNode) => checkIpam(node.context()).map((f) => f.kind);

test("a node where all is well has no findings", () => {
  using node = nodeWithPods();
  assert.deepEqual(checkIpam(node.context()), []);
});

test("everything that does not agree is found, and mended as far as it can be", () => {
  using node = nodeWithPods();
  const { kernel } = node.context();
  const [row] = kernel.mapRows(ENDPOINTS_MAP);
  assert.ok(row);
  const damages: readonly (readonly [kind: string, damage: () => void])[] = [
    ["entry-missing", () => kernel.deleteMapKeys(ENDPOINTS_MAP, [row.key])],
    ["entry-wrong", () => kernel.putMapRows(ENDPOINTS_MAP, [{ key: row.key, value: row.value.map((b) => b ^ 1) }])],
    ["stray-entry", () => kernel.putMapRows(ENDPOINTS_MAP, [{ key: new Uint8Array(16).fill(9), value: row.value }])],
    ["device-missing", () => node.machine.removeNetns("/run/netns/b")],
  ];
  for (const [kind, damage] of damages) {
    damage();
    assert.deepEqual([...new Set(kinds(node))], [kind]);
    assert.deepEqual(fixIpam(node.context()), [], kind);
    assert.deepEqual(kinds(node), [], kind);
  }
});
