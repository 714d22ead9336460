import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { decodePolicyClassKey } from "../net/gen/bpf-maps.ts";
import { Host, issuesOf, started } from "./fake-host.ts";

test("pods are adopted by the next agent; their attachments follow to new programs", () => {
  using host = new Host();
  const agent = started(host);
  host.addPod(agent, "pod-a");
  agent.run();
  assert.equal(agent.report?.writes, 0, "an attachment leaves nothing to do");
  const next = host.agent();
  next.loadPrograms(new Uint8Array([2]));
  next.run();
  const kernel = createFakeKernel({ machine: host.machine });
  const attachments = kernel.attachments();
  assert.ok(attachments.some((a) => a.program === "from_pod"));
  assert.ok(attachments.every((a) => a.isCurrent));
  assert.equal(kernel.mapCount("endpoints"), 2);
  assert.deepEqual(next.notReady(), []);
});

test("an agent that is killed before its settings are left has not yet removed the classes that the old ones name", () => {
  using host = new Host();
  const first = started(host);
  const left = first.policy.openClasses();
  assert.ok(left !== undefined, "a cluster without policy is open");
  first.dropPredecessor();
  first.compare(() => false);
  const second = host.agent({ openClassesBefore: left });
  second.run();
  const own = second.policy.openClasses();
  assert.ok(own !== undefined && own.ingress !== left.ingress, "each agent has classes of its own");
  const kernel = createFakeKernel({ machine: host.machine });
  const classes = () => new Set(kernel.mapRows("policy_classes").map((row) => decodePolicyClassKey(row.key).number));
  // Killed here, its predecessor's settings stand, and who attaches a pod by them finds what they name.
  assert.ok([left.ingress, left.egress, own.ingress, own.egress].every((c) => classes().has(c)));
  second.dropPredecessor();
  second.compare(() => false);
  assert.ok([own.ingress, own.egress].every((c) => classes().has(c)));
  assert.ok(![left.ingress, left.egress].some((c) => classes().has(c)));
});

test("map entries of a pod that were lost come back", () => {
  using host = new Host();
  const agent = started(host);
  host.addPod(agent, "pod-a");
  const kernel = createFakeKernel({ machine: host.machine });
  kernel.deleteMapKeys(
    "endpoints",
    kernel.mapRows("endpoints").map((r) => r.key),
  );
  agent.run();
  assert.equal(kernel.mapCount("endpoints"), 2);
});

test("a pod whose namespace is gone is given up, with its lease", () => {
  using host = new Host();
  const agent = started(host);
  host.machine.removeNetns(host.addPod(agent, "pod-a"));
  agent.run();
  assert.equal(createFakeKernel({ machine: host.machine }).mapCount("endpoints"), 0);
  assert.equal(agent.counts.repairs.get("attachment"), 1);
  assert.deepEqual(agent.notReady(), []);
});

test("a pod that lost its device is reported, and no reason to refuse others", () => {
  using host = new Host();
  const agent = started(host);
  host.addPod(agent, "pod-a");
  const kernel = createFakeKernel({ machine: host.machine });
  const link = kernel.links().find((l) => l.name.startsWith("twl"));
  assert.ok(link);
  kernel.deleteLink(link.name);
  agent.run();
  assert.deepEqual(agent.notReady(), []);
  assert.match(issuesOf(agent), /Device "twl[0-9a-f]{12}" of pod "default\/pod-a" is gone/);
  host.addPod(agent, "pod-b");
});
