import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSource, testNode } from "../cluster/fake-source.ts";
import type { NodeNet } from "../routing/node-net.ts";
import { ClusterView } from "./cluster-view.ts";
import type { Log } from "./log.ts";

const A = testNode("a", ["192.0.2.1"], ["10.244.1.0/24"]);
const B = testNode("b", ["192.0.2.2"], ["10.244.2.0/24"]);

class Memory {
  saved: (readonly NodeNet[])[] = [];
  first: readonly NodeNet[] | undefined;
  error: Error | undefined;
  load = () => this.first;
  save = (nodes: readonly NodeNet[]) => {
    if (this.error !== undefined) throw this.error;
    this.saved.push(nodes);
  };
}

function open(memory = new Memory()) {
  const source = new FakeSource();
  const warnings: string[] = [];
  const log = { warn: (_f: object, msg: string) => void warnings.push(msg) } as unknown as Log;
  return { source, memory, warnings, view: new ClusterView({ source, memory, nodeName: "a", log }) };
}

test("the same look, object for object, while nothing that matters changes", () => {
  const { source, view, memory } = open();
  source.setNodes(A, B);
  const first = view.look();
  assert.equal(view.look(), first);
  source.setNodes({ ...A, labels: new Map([["x", "y"]]) as typeof A.labels }, { ...B });
  assert.equal(view.look(), first, "heartbeats and labels are no news");
  source.setNodes(A, testNode("b", ["192.0.2.3"], ["10.244.2.0/24"]));
  const second = view.look();
  assert.notEqual(second, first);
  assert.equal(second.view?.self, first.view?.self, "who has not changed is the same object");
  assert.equal(memory.saved.length, 2, "kept only when changed");
});

test("order of nodes is by name, whatever the source's is", () => {
  const { source, view } = open();
  source.setNodes(B, testNode("c", [], []), A);
  assert.deepEqual(
    view.look().view?.nodes.map((n) => n.name),
    ["a", "b", "c"],
  );
});

test("until the source answers, what was remembered counts; then only what it says", () => {
  const memory = new Memory();
  memory.first = [A, B];
  const { source, view } = open(memory);
  assert.deepEqual(view.look().view?.nodes.length, 2);
  assert.equal(view.look().waitingFor, undefined);
  source.setNodes(A);
  assert.deepEqual(
    view.look().view?.nodes.map((n) => n.name),
    ["a"],
  );
});

test("losing the own node, or its CIDRs, keeps the last view and says what is wrong", () => {
  const { source, view, memory } = open();
  source.setNodes(A, B);
  const { view: last } = view.look();
  source.setNodes(B);
  assert.equal(view.look().view, last);
  assert.match(view.look().waitingFor ?? "", /There is no node "a"/);
  source.setNodes({ ...A, podCidrs: [] }, B);
  assert.equal(view.look().view, last);
  assert.match(view.look().waitingFor ?? "", /no pod CIDR/);
  assert.equal(memory.saved.length, 1, "a useless state is not kept for the next start");
  source.setNodes(A, B);
  assert.equal(view.look().waitingFor, undefined);
});

test("a memory that cannot be written is told, and nothing else", () => {
  const { source, view, memory, warnings } = open();
  memory.error = new Error("ENOSPC");
  source.setNodes(A);
  assert.notEqual(view.look().view, undefined);
  assert.deepEqual(warnings, ["cannot keep the nodes for the next start"]);
});
