/** Binds pods without a node to the ready node that has the fewest. */

import type { KubeObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { type OnError, refOf, runLoop } from "./loop.ts";

/** What a decision needs of a node. */
export interface Candidate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isReady: boolean;
  readonly isUnschedulable: boolean;
  readonly pods: number;
}

/** The node for a pod, or why there is none. Ties go to the first. */
export function chooseNode(
  pod: KubeObject,
  candidates: readonly Candidate[],
): { readonly node: string } | { readonly why: string } {
  const selector = Object.entries((pod["spec"]?.nodeSelector ?? {}) as Record<string, string>);
  const matches = (c: Candidate) => selector.every(([key, value]) => c.labels[key] === value);
  const fits = candidates.filter((c) => c.isReady && !c.isUnschedulable && matches(c));
  const best = fits.toSorted((a, b) => a.pods - b.pods)[0];
  if (best !== undefined) return { node: best.name };
  const counts = [
    [candidates.filter((c) => !matches(c)).length, "didn't match the node selector"],
    [candidates.filter((c) => c.isUnschedulable).length, "were unschedulable"],
    [candidates.filter((c) => !c.isReady).length, "were not ready"],
  ] as const;
  const reasons = counts.filter(([n]) => n > 0).map(([n, why]) => `${n} node(s) ${why}`);
  return { why: `0/${candidates.length} nodes are available: ${reasons.join(", ")}.` };
}

function candidateOf(node: KubeObject, pods: number): Candidate {
  const conditions = (node["status"]?.conditions ?? []) as { type: string; status: string }[];
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    isReady: conditions.some((c) => c.type === "Ready" && c.status === "True"),
    isUnschedulable: node["spec"]?.unschedulable === true,
    pods,
  };
}

/** Schedules until ended. @returns ends it */
export function runScheduler(objects: ObjectClient, onError: OnError): () => void {
  function place(pod: KubeObject, choice: { readonly node: string } | { readonly why: string }): void {
    if ("node" in choice) {
      objects.patch(refOf(pod), { spec: { nodeName: choice.node } });
      return;
    }
    const conditions = (pod["status"]?.conditions ?? []) as { type: string; message?: string }[];
    if (conditions.some((c) => c.type === "PodScheduled" && c.message === choice.why)) return;
    const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`;
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: choice.why,
      lastTransitionTime,
    };
    objects.patch(refOf(pod), { status: { phase: "Pending", conditions: [condition] } }, "status");
  }
  const kinds = [
    { apiVersion: "v1", kind: "Pod" },
    { apiVersion: "v1", kind: "Node" },
  ];
  return runLoop(objects, kinds, () => {
    const pods = objects.list({ apiVersion: "v1", kind: "Pod" });
    const waiting = pods.filter((p) => !p["spec"]?.nodeName && p.metadata.deletionTimestamp === undefined);
    if (waiting.length === 0) return;
    const load = Map.groupBy(pods, (p) => String(p["spec"]?.nodeName ?? ""));
    const nodes = objects.list({ apiVersion: "v1", kind: "Node" });
    const candidates = nodes.map((n) => candidateOf(n, load.get(n.metadata.name)?.length ?? 0));
    for (const pod of waiting) {
      const choice = chooseNode(pod, candidates);
      try {
        place(pod, choice);
      } catch (error) {
        onError(error, `schedule pod "${pod.metadata.namespace}/${pod.metadata.name}"`);
        continue;
      }
      const chosen = candidates.find((c) => "node" in choice && c.name === choice.node);
      if (chosen !== undefined) candidates[candidates.indexOf(chosen)] = { ...chosen, pods: chosen.pods + 1 };
    }
  });
}
