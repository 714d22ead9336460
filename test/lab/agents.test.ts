/**
 * Agents that are killed, away, replaced and differently configured, seen from pods.
 *
 * ```mermaid
 * sequenceDiagram
 *   kubelet->>shim: ADD
 *   shim--xagent: nobody listens
 *   shim->>kernel: the same attachment, from ledger and pins
 *   agent->>kernel: adopts it when it is back
 * ```
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AGENT_SET, type AgentConfig } from "../../src/lab/agent-set.ts";
import { runIn } from "../../src/lab/box.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { echoPod } from "../../src/lab/demo/run.ts";
import { collectNetwork } from "../../src/lab/kubelet/cni.ts";
import { pluginRunner } from "../../src/lab/kubelet/sandbox.ts";
import { type Lab, type LabOptions, startLab } from "../../src/lab/lab.ts";
import type { MatrixOptions } from "../../src/lab/probe/matrix.ts";
import { until } from "./wait.ts";

const READY_MS = 180_000;
/** Everybody answers: nobody is waited for as long. */
const PROBE_MS = 10_000;
const PODS = { apiVersion: "v1", kind: "Pod", namespace: "default" };

async function openLab(name: string, more: Partial<LabOptions> = {}): Promise<Lab> {
  const lab = await startLab({ name, nodes: 2, ...more });
  await lab.ready(READY_MS);
  return lab;
}

async function addPod(lab: Lab, name: string, node: string): Promise<void> {
  lab.objects.create(echoPod(name, node));
  await lab.until(
    { ...PODS, fieldSelector: `metadata.name=${name}` },
    ([p]) => p !== undefined && isPodReady(p),
    READY_MS,
    `pod ${name} to be ready`,
  );
}

async function removePod(lab: Lab, name: string): Promise<void> {
  lab.objects.delete({ apiVersion: "v1", kind: "Pod", namespace: "default", name });
  await lab.until(
    { ...PODS, fieldSelector: `metadata.name=${name}` },
    (l) => l.length === 0,
    READY_MS,
    `pod ${name} to be gone`,
  );
}

/** Every pod and node reaches everybody, on every protocol and in every family that the node has. */
async function assertAllReach(lab: Lab, when: string): Promise<void> {
  // Pods of a family that the nodes themselves do not have cannot leave the cluster in it.
  const names = lab.endpoints().filter((e) => e.kind !== "outside" || lab.topology.families.length === 2);
  const options: MatrixOptions = {
    ports: [
      { protocol: "TCP", port: 80 },
      { protocol: "UDP", port: 81 },
      { protocol: "ICMP", port: 0 },
    ],
    timeoutMs: PROBE_MS,
    to: names.map((e) => e.name),
    from: lab
      .endpoints()
      .filter((e) => e.kind !== "outside")
      .map((e) => e.name),
  };
  const matrix = await lab.probe(options);
  for (const [port, rows] of Object.entries(matrix)) {
    for (const [from, row] of Object.entries(rows)) {
      for (const [to, verdict] of Object.entries(row)) assert.equal(verdict, "ok", `${when}: ${port} ${from} → ${to}`);
    }
  }
}

let lab: Lab;

before(async () => {
  lab = await openLab("test-agents");
  await addPod(lab, "a", "node-1");
  await addPod(lab, "b", "node-2");
});

after(() => lab[Symbol.asyncDispose]());

test("an agent that is killed comes back; meanwhile and afterwards packets flow", async () => {
  const before = lab.agent("node-1")!.facts().restarts;
  assert.ok(lab.agent("node-1")!.signal("SIGKILL"));
  await assertAllReach(lab, "with the agent killed");
  await until(
    () => lab.agent("node-1")!.facts().restarts > before && lab.agent("node-1")!.facts().isReady,
    "the agent to be back",
    READY_MS,
  );
  await assertAllReach(lab, "with the agent back");
});

test("with the agent away, pods start and end; it adopts them when it returns", async () => {
  const agent = lab.agent("node-1")!;
  agent.hold(true);
  agent.signal("SIGKILL");
  await until(() => !agent.isRunning(), "the agent to be gone");
  await addPod(lab, "c", "node-1");
  await addPod(lab, "d", "node-1");
  await assertAllReach(lab, "with the agent away");
  await removePod(lab, "d");
  agent.hold(false);
  await until(() => lab.agent("node-1")!.facts().isReady, "the agent to be back", READY_MS);
  await assertAllReach(lab, "with the agent back");
  const status = JSON.parse(
    (await runIn(lab.node("node-1").box, ["/opt/twill/bin/twill", "endpoint", "list", "--json"])).stdout,
  );
  const names = status.map((e: { podName?: string; pod?: string }) => e.podName ?? e.pod);
  assert.equal(names.length, 2, JSON.stringify(status));
  await removePod(lab, "c");
});

test("a changed DaemonSet replaces agents one after another, without a lost packet between pods", async () => {
  const set = { apiVersion: "apps/v1", kind: "DaemonSet", namespace: AGENT_SET.namespace, name: AGENT_SET.name };
  const template = lab.objects.get(set)!["spec"].template;
  const [container] = template.spec.containers;
  const changed = { ...container, env: [...container.env, { name: "TEST_ROLLOUT", value: "1" }] };
  lab.objects.patch(set, { spec: { template: { spec: { containers: [changed] } } } });
  const isDone = () => {
    const s = lab.objects.get(set)!["status"];
    return (
      s.updatedNumberScheduled === 2 &&
      s.numberReady === 2 &&
      s.observedGeneration === lab.objects.get(set)!.metadata.generation
    );
  };
  assert.ok(!isDone(), "the first round begins before its end");
  let rounds = 0;
  await until(
    async () => {
      await assertAllReach(lab, `round ${rounds++} of the roll-out`);
      return isDone();
    },
    "the roll-out",
    READY_MS,
  );
  await assertAllReach(lab, "after the roll-out");
});

test("CHECK finds nothing to complain of, and GC takes what belongs to no pod and nothing else", async () => {
  const { kubelet, box } = lab.node("node-1");
  await addPod(lab, "e", "node-1");
  await kubelet.check("default", "a");
  await kubelet.check("default", "e");
  const used = async () => {
    const status = JSON.parse((await runIn(box, ["/opt/twill/bin/twill", "endpoint", "list", "--json"])).stdout);
    return status.length as number;
  };
  assert.equal(await used(), 2);
  await kubelet.collect();
  assert.equal(await used(), 2);
  await assertAllReach(lab, "after GC");
  // An attachment whose pod the runtime forgot.
  const forgotten = kubelet.worker("default", "e")!.sandbox!;
  const keep = kubelet.worker("default", "a")!.sandbox!.network!.attachment;
  const { list } = forgotten.network!;
  await collectNetwork(pluginRunner(box), list, [{ containerID: keep.containerId, ifname: keep.ifname }]);
  assert.equal(await used(), 1);
  await assert.rejects(kubelet.check("default", "e"), /CNI CHECK by "twill" failed/);
  await kubelet.check("default", "a");
  await removePod(lab, "e");
});

const variants: readonly [string, Partial<LabOptions> & { readonly agentConfig: AgentConfig }][] = [
  ["IPv4 alone", { agentConfig: { clusterCIDRs: ["10.99.0.0/16"] }, underlay: [4] }],
  ["IPv6 alone", { agentConfig: { clusterCIDRs: ["fd99::/48"] }, underlay: [6] }],
  [
    "both families in tunnels over IPv6",
    { agentConfig: { clusterCIDRs: ["10.97.0.0/16", "fd97::/48"] }, underlay: [6] },
  ],
  [
    "Calico's tunnel numbers, small node CIDRs and jumbo frames",
    {
      agentConfig: {
        tunnel: { port: 4789, vni: 4096 },
        nodeMaskSize: { ipv4: 28, ipv6: 120 },
        clusterCIDRs: ["10.98.0.0/20", "fd98::/112"],
      },
      mtuBytes: 9000,
    },
  ],
];

for (const [index, [title, options]] of variants.entries()) {
  test(`a cluster with ${title}`, async () => {
    await using other = await openLab(`test-variant-${index}`, options);
    await Promise.all([addPod(other, "a", "node-1"), addPod(other, "b", "node-1"), addPod(other, "c", "node-2")]);
    await assertAllReach(other, title);
    const families = other.endpoints().find((e) => e.name === "default/a")!.addresses.length;
    assert.equal(families, (options.agentConfig["clusterCIDRs"] as string[]).length);
  });
}
