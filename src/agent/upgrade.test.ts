import assert from "node:assert/strict";
import { test } from "node:test";
import { testNode } from "../cluster/fake-source.ts";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { KernelError } from "../kernel/kernel.ts";
import { Host, OBJECT, OTHER, SELF, started } from "./fake-host.ts";

const VERIFIER = new KernelError(
  "load programs",
  "EACCES",
  13,
  "libbpf: prog 'from_pod': failed\n-- BEGIN --\nstack is too large\nprocessed 7 insns\n-- END --",
);

test("an upgrade that cannot be loaded leaves the old programs at work, says why, and is tried again", () => {
  using host = new Host();
  const old = started(host);
  host.addPod(old, "pod-a");
  host.machine.failNext("loadPrograms", VERIFIER);
  const next = host.agent();
  next.run();
  assert.deepEqual(next.notReady(), [], "pods can be attached");
  assert.equal(next.programs, "of an earlier agent");
  assert.match(next.issues()[0]?.message ?? "", /Cannot load programs: EACCES .*: stack is too large$/);
  host.source.setNodes(SELF, OTHER, testNode("node-3", ["192.168.77.13"], ["10.244.3.0/24"]));
  next.run();
  assert.notEqual(next.nodeIds().get("192.168.77.13"), undefined, "the cluster is followed");
  host.addPod(next, "pod-b");
  host.clockMs += 60_000;
  next.run();
  assert.deepEqual(next.issues(), []);
  assert.notEqual(next.programs, "of an earlier agent");
});

test("without earlier programs, or with maps of another layout, there is no network, and it is said why", () => {
  for (const prepare of [
    () => undefined,
    (h: Host) =>
      createFakeKernel({ machine: h.machine, object: { programs: [], maps: new Map() } }).loadPrograms(OBJECT, {
        pinDirectory: "/sys/fs/bpf/twill",
        maxEntries: new Map(),
      }),
  ]) {
    using host = new Host();
    prepare(host);
    host.source.setNodes(SELF);
    host.machine.failNext("loadPrograms", VERIFIER);
    const agent = host.agent();
    agent.run();
    assert.match(agent.notReady().join(), /^Cannot load programs: EACCES/);
    assert.equal(agent.report, undefined, "nothing was touched");
  }
});

/** What the kernel has of the node's own policy: its devices, and whether programs look. */
