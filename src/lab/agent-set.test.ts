import assert from "node:assert/strict";
import { test } from "node:test";
import { agentConfig, agentSet, mergeConfig } from "./agent-set.ts";

test("mergeConfig() merges maps and replaces everything else", () => {
  assert.deepEqual(mergeConfig({ a: { x: 1, y: [1] }, b: 2 }, { a: { y: [2], z: 3 } }), {
    a: { x: 1, y: [2], z: 3 },
    b: 2,
  });
});

test("the user's keys win over the lab's", () => {
  const config = agentConfig("node-1", { log: { level: "debug" }, health: { listen: "off" } });
  assert.equal(config["nodeName"], "node-1");
  assert.deepEqual(config["log"], { level: "debug" });
  assert.deepEqual(config["health"], { listen: "off" });
});

test("the DaemonSet runs the agent on the node's network with its configuration", () => {
  const set = agentSet();
  const spec = (
    set["spec"] as { template: { spec: { hostNetwork: boolean; containers: { command: string[]; env: unknown[] }[] } } }
  ).template.spec;
  assert.equal(spec.hostNetwork, true);
  assert.deepEqual(spec.containers[0]!.command.slice(0, 4), ["twill", "agent", "--node", "$(NODE_NAME)"]);
  const nodeName = { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } };
  assert.deepEqual(spec.containers[0]!.env, [nodeName]);
});
