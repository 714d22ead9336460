/** Part of install.test.ts: the cluster's programs are replaced, killed and started again under traffic. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { DEMO_PORTS } from "../../src/lab/demo/checks.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { waitFor } from "../fixture/sandbox.ts";
import type { ControlProgram } from "./kube/control.ts";
import type { KubeNode } from "./kube/node.ts";
import { getJson, type PodEnd, type PodObject, podEnds } from "./kube/objects.ts";
import { SLOW_MS, type Stage, startsPods, trafficEnds } from "./kube/stage.ts";
import { unharmed } from "./kube/traffic.ts";

/** {@link Stage} with pods of a Deployment that is spread over all nodes. */
export interface DisturbedStage extends Stage {
  readonly pods: readonly PodObject[];
}

interface AgentPod extends PodObject {
  readonly status: PodObject["status"] & {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly containerID: string;
      readonly ready: boolean;
    }[];
  };
}

interface DaemonSetStatus {
  readonly status: Readonly<Record<"numberReady" | "desiredNumberScheduled" | "updatedNumberScheduled", number>>;
}

async function agentOn({ api }: Stage, node: string): Promise<AgentPod | undefined> {
  const pods = await api.list<AgentPod>({ apiVersion: "v1", kind: "Pod" }, "kube-system");
  return pods.find((p) => p.spec.nodeName === node && p.metadata.name.startsWith("twill-"));
}

const containerOf = (pod: AgentPod | undefined) => pod?.status.containerStatuses?.find((c) => c.name === "agent");

/** The container's process is killed as by the kernel; its kubelet starts another one. */
async function killAgent(stage: Stage, node: KubeNode, meanwhile = async () => {}): Promise<void> {
  const before = containerOf(await agentOn(stage, node.name))?.containerID ?? "";
  const id = before.replace("containerd://", "");
  await node.run(["ctr", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL", id]);
  await meanwhile();
  await waitFor(
    "the agent to be started again",
    async () => {
      const now = containerOf(await agentOn(stage, node.name));
      return now !== undefined && now.containerID !== before && now.ready;
    },
    SLOW_MS,
  );
}

/** While no agent is there, and nobody who would start one, everything is removed that the node remembers of its pods. */
async function loseMemory(stage: Stage, node: KubeNode): Promise<void> {
  await node.halt("kubelet");
  await killAgent(stage, node, async () => {
    await node.run(["sh", "-ec", "rm -rf /run/twill/* /sys/fs/bpf/twill"]);
    node.startDaemon("kubelet");
  });
}

/** The API is away for as long as it takes the agent to notice. */
async function killApiServer({ cluster }: Stage, node: KubeNode): Promise<void> {
  const program: ControlProgram = "kube-apiserver";
  const task = cluster.control.task(program);
  assert.ok(task.signal("SIGKILL"), `${program} ran`);
  await task.ended;
  const status = async () => (await node.attempt(["/opt/twill/bin/twill", "status"])).stdout;
  const say = (pattern: RegExp) =>
    waitFor(`status to say ${pattern}`, async () => pattern.test(await status()), SLOW_MS);
  await say(/is not live/);
  cluster.control.startProgram(program);
  await cluster.control.untilReady();
  await waitFor("status to be live again", async () => !/is not live/.test(await status()), SLOW_MS);
}

/** All agents are there, and no pod was started anew. */
async function assertConverged({ cluster, api }: DisturbedStage): Promise<void> {
  await waitFor(
    "all nodes and agents to be ready",
    async () => {
      const { status } = await getJson<DaemonSetStatus>(cluster, ["-n", "kube-system", "daemonset", "twill"]);
      return (
        status.numberReady === cluster.nodes.length && status.updatedNumberScheduled === status.desiredNumberScheduled
      );
    },
    SLOW_MS,
  );
  await cluster.kubectl(["wait", "node", "--all", "--for=condition=Ready", "--timeout=280s"], { timeoutMs: SLOW_MS });
  const pods = await api.list<PodObject & { status: { containerStatuses?: readonly { restartCount: number }[] } }>(
    { apiVersion: "v1", kind: "Pod" },
    "default",
  );
  const restarted = pods.filter((p) => p.status.containerStatuses?.some((c) => c.restartCount > 0));
  assert.deepEqual(
    restarted.map((p) => p.metadata.name),
    [],
  );
}

/** Since when each pod of the Deployment is ready: a probe that failed shows as a later time. */
async function readySince({ api }: Stage): Promise<ReadonlyMap<string, string | undefined>> {
  const pods = await api.list<PodObject>({ apiVersion: "v1", kind: "Pod" }, "default");
  const own = pods.filter((p) => p.metadata.name.startsWith("echo-"));
  return new Map(
    own.map((p) => [p.metadata.name, p.status.conditions?.find((c) => c.type === "Ready")?.lastTransitionTime]),
  );
}

/** A change of the DaemonSet replaces every agent; a connection that is held meanwhile does not notice. */
export function rollingUpdate(stage: () => DisturbedStage): void {
  test("a rolling update of the DaemonSet breaks no connection; pods start meanwhile", async (t: TestContext) => {
    const { cluster, pods } = stage();
    const before = await Promise.all(cluster.nodes.map((n) => agentOn(stage(), n.name)));
    const ready = await readySince(stage());
    const ends = await trafficEnds(stage(), pods);
    await unharmed(t, ends, async () => {
      await cluster.kubectl(["-n", "kube-system", "rollout", "restart", "daemonset/twill"]);
      const rollout = ["-n", "kube-system", "rollout", "status", "daemonset/twill", "--timeout=280s"];
      const [far] = cluster.nodes.slice(-1);
      await Promise.all([
        cluster.kubectl(rollout, { timeoutMs: SLOW_MS }),
        startsPods(stage(), far?.name ?? "", ends.client, "meanwhile"),
      ]);
    });
    const after = await Promise.all(cluster.nodes.map((n) => agentOn(stage(), n.name)));
    for (const [i, old] of before.entries()) {
      assert.ok(old !== undefined && after[i] !== undefined, "every node has an agent");
      assert.notEqual(after[i]?.metadata.uid, old.metadata.uid, `${old.metadata.name} was replaced`);
    }
    await assertConverged(stage());
    assert.deepEqual(await readySince(stage()), ready, "no kubelet's probe has failed meanwhile");
  });
}

/** Each of the programs that a node's network lives by, in turn. */
export function kills(stage: () => DisturbedStage): void {
  const victims: Readonly<Record<string, (stage: Stage, node: KubeNode) => Promise<void>>> = {
    "the agent": killAgent,
    "the API server": killApiServer,
    containerd: (_, node) => node.crash("containerd"),
    "the kubelet": (_, node) => node.crash("kubelet"),
  };
  for (const [what, kill] of Object.entries(victims))
    test(`${what} is killed and comes back: nothing breaks, and pods start as before`, async (t: TestContext) => {
      const { cluster, pods } = stage();
      const node = cluster.node("node-2");
      const ends = await trafficEnds(stage(), pods);
      await unharmed(t, ends, async () => {
        await kill(stage(), node);
        await startsPods(stage(), node.name, ends.client, `after-${what.split(" ").at(-1)?.toLowerCase()}`);
      });
      await assertConverged(stage());
    });
}

/** Where the Deployment's pods are attached. */
async function endsOf({ cluster, pods }: DisturbedStage): Promise<readonly (PodEnd | undefined)[]> {
  const ends = await podEnds(cluster);
  return pods.map((p) => ends.get(`${p.metadata.namespace}/${p.metadata.name}`));
}

/** Pods that were there before the agent, which knows nothing of them. */
export function lostMemory(stage: () => DisturbedStage): void {
  test("a node's memory and pins are lost: its pods are taken up, none is started anew", async (t: TestContext) => {
    const { cluster, pods } = stage();
    // Of another node than was disturbed before: its kubelet waits longer with each start of a container.
    const node = cluster.node("node-3");
    const ends = await trafficEnds(stage(), pods);
    const before = await endsOf(stage());
    await unharmed(
      t,
      ends,
      async () => {
        await loseMemory(stage(), node);
        await startsPods(stage(), node.name, ends.client, "after-loss");
      },
      { isFelt: true },
    );
    await assertConverged(stage());
    assert.deepEqual(await endsOf(stage()), before);
  });
}

interface RestartedPod extends PodObject {
  readonly status: PodObject["status"] & { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}

/** Its plugin and configuration are on the disk, so that pods are started before there is an agent. */
export function reboots(stage: () => DisturbedStage): void {
  test("a node is booted again: its pods come back, and the others' traffic does not notice", async (t: TestContext) => {
    const { cluster, api, pods } = stage();
    const name = "node-3";
    const names = pods.filter((p) => p.spec.nodeName === name).map((p) => p.metadata.name);
    const { client, servers } = await trafficEnds(stage(), pods);
    const near = { client, servers: servers.filter((s) => s.node !== name) };
    const isBack = async () => {
      const now = await api.list<RestartedPod>({ apiVersion: "v1", kind: "Pod" }, "default");
      const back = now.filter((p) => isPodReady(p) && p.status.containerStatuses?.every((c) => c.restartCount > 0));
      return names.every((n) => back.some((p) => p.metadata.name === n));
    };
    await unharmed(t, near, async () => {
      await cluster.reboot(name);
      await waitFor(`pods of ${name} to be ready again`, isBack, SLOW_MS);
    });
    const ends = await podEnds(cluster);
    for (const pod of names) {
      const end = ends.get(`default/${pod}`);
      assert.equal(end?.addresses.length, 2, `${pod} is attached`);
      for (const to of end?.addresses ?? [])
        await waitFor(
          `${pod} to be reached at ${to}`,
          async () => {
            const r = await probe({ netns: client.netns, protocol: "TCP", port: DEMO_PORTS.tcp, to });
            return r.server === `default/${pod}`;
          },
          SLOW_MS,
        );
    }
  });
}
