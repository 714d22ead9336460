/**
 * `bench pods`: how long a container runtime waits for a pod's network, in a real cluster, while a kubelet starts 100 pods at its
 * own pace. One node has Twill, the other the reference plugins; they are asked in turns.
 */

import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import * as yaml from "yaml";
import { buildImage } from "../install/image/build.ts";
import { KubeApi } from "../test/cluster/kube/api.ts";
import { KubeCluster } from "../test/cluster/kube/cluster.ts";
import { type KubeNode, PAUSE_IMAGE } from "../test/cluster/kube/node.ts";
import type { PodObject } from "../test/cluster/kube/objects.ts";
import { cannotRun, programDirectory } from "../test/cluster/kube/programs.ts";
import { makeNamespace } from "../test/cluster/kube/stage.ts";
import { writeIn } from "../test/fixture/files.ts";
import { PLUGIN_DIRECTORY, peerNetworks } from "./cni-networks.ts";
import type { BenchOptions } from "./path.ts";
import { quantile, type RowSpec, type RowWithRanges, type Sample, summarize, TWILL } from "./stats.ts";
import { type Lap, Stopwatch } from "./stopwatch.ts";

/** A kubelet takes 110. */
const PODS = { full: 100, quick: 10 } as const;
const NAMESPACE = "bench";
const READY_MS = 300_000;
/** Between two looks, which are a load of their own. */
const LOOK_MS = 500;

const SPECS: readonly RowSpec[] = [
  { name: "pods.add.p50", unit: "ms" },
  { name: "pods.add.p99", unit: "ms" },
  { name: "pods.rate", unit: "1/s" },
];

/** A node, and what attaches its pods. */
interface Subject {
  readonly name: string;
  readonly plugin: string;
  readonly node: KubeNode;
  readonly watch: Stopwatch;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + READY_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`Waited ${READY_MS} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The manifest, for one node only. */
function manifestFor(node: string): string {
  const path = new URL("../install/twill.yaml", import.meta.url);
  return yaml
    .parseAllDocuments(readFileSync(path, "utf8"))
    .map((document) => {
      if (document.get("kind") === "DaemonSet")
        document.setIn(["spec", "template", "spec", "nodeSelector", "kubernetes.io/hostname"], node);
      return String(document);
    })
    .join("");
}

async function twillSubject(cluster: KubeCluster, node: KubeNode, program: string): Promise<Subject> {
  const { archive } = buildImage(join(cluster.directory, "twill.tar"));
  await node.loadImage(archive);
  await cluster.kubectl(["apply", "-f", "-"], { input: manifestFor(node.name) });
  const rollout = ["-n", "kube-system", "rollout", "status", "daemonset/twill", "--timeout=280s"];
  await cluster.kubectl(rollout, { timeoutMs: READY_MS });
  const watch = await Stopwatch.start(node, program, ["twill", "loopback"]);
  return { name: TWILL, plugin: "twill", node, watch };
}

/** The first of the networks that `bench cni` has: the reference plugins at their fastest. */
async function referenceSubject(node: KubeNode, program: string): Promise<Subject> {
  const [network] = peerNetworks();
  if (network === undefined) throw new Error("There is no peer");
  const { subject, name, cniVersion, plugins } = network;
  await node.run(["sh", "-c", `cp /usr/lib/cni/* ${PLUGIN_DIRECTORY}/`]);
  writeIn(node.box, "/etc/cni/net.d/10-reference.conflist", JSON.stringify({ name, cniVersion, plugins }));
  const watch = await Stopwatch.start(node, program, ["bridge", "loopback"]);
  return { name: subject, plugin: "bridge", node, watch };
}

/** The times of ADD, and pods in a second until the last one runs. */
async function startPods(
  api: KubeApi,
  { node, plugin, watch }: Subject,
  count: number,
): Promise<readonly [number[], number]> {
  watch.forget();
  const pods = { apiVersion: "v1", kind: "Pod" };
  const container = { name: "pause", image: PAUSE_IMAGE, imagePullPolicy: "Never" };
  const spec = { nodeName: node.name, automountServiceAccountToken: false, containers: [container] };
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      api.create({ ...pods, metadata: { namespace: NAMESPACE, name: `pod-${i}` }, spec }),
    ),
  );
  await until("all pods to run", async () => {
    const all = await api.list<PodObject>(pods, NAMESPACE);
    return all.length === count && all.every((p) => p.status.phase === "Running");
  });
  const seconds = (performance.now() - begin) / 1000;
  const own = (command: string) => (lap: Lap) => lap.plugin === plugin && lap.command === command;
  const adds = watch.laps().filter(own("ADD"));
  const failed = adds.filter((a) => a.status !== 0).length;
  if (failed > 0 || adds.length !== count)
    throw new Error(`Of ${adds.length} calls of "${plugin}" for ${count} pods ${failed} failed`);
  await api.send("DELETE", `/api/v1/namespaces/${NAMESPACE}/pods?gracePeriodSeconds=0`);
  // The next node's turn begins when this one is at rest.
  await until("all pods to be gone", async () => {
    const done = watch.laps().filter(own("DEL")).length;
    return done >= count && (await api.list(pods, NAMESPACE)).length === 0;
  });
  return [adds.map((a) => a.milliseconds), count / seconds];
}

/** Brings a cluster up, races both nodes in turns, and removes all of it. */
export async function benchPods(options: BenchOptions): Promise<RowWithRanges[]> {
  const reason = cannotRun();
  if (reason !== undefined) throw new Error(`Cannot make a cluster: ${reason}`);
  // Daemons would inherit the benchmark's priority, an agent in its pod's control group has no part in it: as on a node, none has any.
  setPriority(0);
  await using cluster = await KubeCluster.start({ nodes: 2, programs: programDirectory(), hasKubeProxy: true });
  using api = await KubeApi.open(cluster);
  const [first, second] = cluster.nodes as [KubeNode, KubeNode];
  const program = join(cluster.directory, "stopwatch");
  Stopwatch.build(program);
  const subjects = [await twillSubject(cluster, first, program), await referenceSubject(second, program)];
  await cluster.kubectl(["wait", "node", "--all", "--for=condition=Ready", "--timeout=280s"], { timeoutMs: READY_MS });
  await makeNamespace({ cluster, api }, NAMESPACE, {});
  const count = options.isQuick ? PODS.quick : PODS.full;
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++)
    for (const subject of subjects) {
      options.signal.throwIfAborted();
      const [adds, rate] = await startPods(api, subject, count);
      const sample = (row: string, value: number): Sample => ({ row, subject: subject.name, round, value });
      const [p50, p99] = [quantile(adds, 0.5), quantile(adds, 0.99)];
      samples.push(sample("pods.add.p50", p50), sample("pods.add.p99", p99), sample("pods.rate", rate));
      const figures = `ADD ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${rate.toFixed(1)} pods/s`;
      options.log(`round ${round + 1}/${options.rounds} ${subject.name}: ${count} pods, ${figures}`);
    }
  return summarize(SPECS, samples);
}
