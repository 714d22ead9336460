import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { Host, issuesOf, started } from "./fake-host.ts";

test("a kernel without programs on sockets gets all the others, and the status says so", () => {
  using host = new Host();
  host.machine.hasSocketPrograms = false;
  const agent = started(host);
  assert.deepEqual(agent.notReady(), []);
  assert.match(issuesOf(agent), /CONFIG_CGROUP_BPF\): what sockets ask .* packet by packet/);
  const kernel = createFakeKernel({ machine: host.machine });
  assert.deepEqual(kernel.socketHooks(), []);
  assert.ok(kernel.attachments().length > 0);
  agent.run(true);
  assert.equal(agent.report?.writes, 0);
});
