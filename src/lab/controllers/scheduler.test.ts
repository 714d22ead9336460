import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { type Candidate, chooseNode } from "./scheduler.ts";

const node = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  name,
  labels: {},
  isReady: true,
  isUnschedulable: false,
  pods: 0,
  ...more,
});
const pod = (spec: object = {}) => ({ apiVersion: "v1", kind: "Pod", metadata: {}, spec }) as unknown as KubeObject;

test("chooseNode() takes the ready node with the fewest pods", () => {
  assert.deepEqual(chooseNode(pod(), [node("a", { pods: 2 }), node("b", { pods: 1 }), node("c", { isReady: false })]), {
    node: "b",
  });
  assert.deepEqual(chooseNode(pod(), [node("a"), node("b")]), { node: "a" });
});

test("chooseNode() obeys nodeSelector and cordons, and says why nothing fits", () => {
  const nodes = [node("a", { labels: { disk: "ssd" }, pods: 9 }), node("b")];
  assert.deepEqual(chooseNode(pod({ nodeSelector: { disk: "ssd" } }), nodes), { node: "a" });
  const why = chooseNode(pod({ nodeSelector: { disk: "tape" } }), [
    ...nodes,
    node("c", { isUnschedulable: true, labels: { disk: "tape" } }),
  ]);
  assert.deepEqual(why, {
    why: "0/3 nodes are available: 2 node(s) didn't match the node selector, 1 node(s) were unschedulable.",
  });
});
