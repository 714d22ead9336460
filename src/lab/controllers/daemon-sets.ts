/** One pod of every DaemonSet on every node, new ones in the place of those whose template is old, and the status. */

import { createHash } from "node:crypto";
import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";

const HASH_LABEL = "controller-revision-hash";

/** Identifies a pod template. */
export function templateHash(set: KubeObject): string {
  return createHash("sha256")
    .update(JSON.stringify(set["spec"]?.template ?? {}))
    .digest("hex")
    .slice(0, 10);
}

/** The pod of a set on a node. */
export function daemonPod(set: KubeObject, node: string): NewObject {
  const template = set["spec"]?.template ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels, [HASH_LABEL]: templateHash(set) },
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "DaemonSet",
          name: set.metadata.name,
          uid: set.metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { ...template.spec, nodeName: node },
  };
}

function isPodReady(pod: KubeObject): boolean {
  return ((pod["status"]?.conditions ?? []) as { type: string; status: string }[]).some(
    (c) => c.type === "Ready" && c.status === "True",
  );
}

/** What to do for a set now, and its status. */
export function planDaemonSet(set: KubeObject, pods: readonly KubeObject[], nodes: readonly string[]) {
  const hash = templateHash(set);
  const own = pods.filter((p) => p.metadata.ownerReferences?.some((o) => o.uid === set.metadata.uid));
  const living = own.filter((p) => p.metadata.deletionTimestamp === undefined);
  const isOver = (p: KubeObject) => ["Succeeded", "Failed"].includes(p["status"]?.phase);
  const isCurrent = (p: KubeObject) => p.metadata.labels?.[HASH_LABEL] === hash;
  const toCreate: string[] = [];
  const toDelete = living.filter((p) => isOver(p) || !nodes.includes(p["spec"]?.nodeName));
  // One at a time, as a rolling update with maxUnavailable 1: only while every other pod is ready.
  const isSettled = living.length === nodes.length && living.every((p) => isPodReady(p));
  const old = living.find((p) => !isCurrent(p));
  if (isSettled && old !== undefined && set["spec"]?.updateStrategy?.type !== "OnDelete") toDelete.push(old);
  for (const node of nodes) {
    // A pod that is ending still has its name, ports and files: its successor waits.
    if (!own.some((p) => p["spec"]?.nodeName === node && !isOver(p))) toCreate.push(node);
  }
  const ready = living.filter(isPodReady).length;
  const status = {
    currentNumberScheduled: living.length,
    desiredNumberScheduled: nodes.length,
    numberAvailable: ready,
    numberMisscheduled: 0,
    numberReady: ready,
    numberUnavailable: nodes.length - ready,
    updatedNumberScheduled: living.filter(isCurrent).length,
    observedGeneration: set.metadata.generation ?? 1,
  };
  return { toCreate, toDelete, status };
}

/** Works until ended. @returns ends it */
export function runDaemonSets(objects: ObjectClient, onError: (error: unknown, doing: string) => void): () => void {
  let isQueued = false;
  let isEnded = false;

  function reconcile(): void {
    isQueued = false;
    if (isEnded) return;
    const nodes = objects.list({ apiVersion: "v1", kind: "Node" });
    const pods = objects.list({ apiVersion: "v1", kind: "Pod" });
    for (const set of objects.list({ apiVersion: "apps/v1", kind: "DaemonSet" })) {
      if (set.metadata.deletionTimestamp !== undefined) continue;
      try {
        reconcileOne(set, pods, nodes);
      } catch (error) {
        onError(error, `reconcile DaemonSet "${set.metadata.namespace}/${set.metadata.name}"`);
      }
    }
  }

  function reconcileOne(set: KubeObject, pods: readonly KubeObject[], nodes: readonly KubeObject[]): void {
    const selector = Object.entries((set["spec"]?.template?.spec?.nodeSelector ?? {}) as Record<string, string>);
    const matching = nodes
      .filter((n) => selector.every(([k, v]) => n.metadata.labels?.[k] === v))
      .map((n) => n.metadata.name);
    const plan = planDaemonSet(set, pods, matching);
    for (const pod of plan.toDelete)
      objects.delete({
        apiVersion: "v1",
        kind: "Pod",
        namespace: pod.metadata.namespace ?? "default",
        name: pod.metadata.name,
      });
    for (const node of plan.toCreate) objects.create(daemonPod(set, node));
    if (JSON.stringify(set["status"]) !== JSON.stringify({ ...set["status"], ...plan.status })) {
      const ref = {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        namespace: set.metadata.namespace ?? "default",
        name: set.metadata.name,
      };
      objects.patch(ref, { status: plan.status }, "status");
    }
  }

  const poke = () => {
    if (isQueued) return;
    isQueued = true;
    setImmediate(reconcile);
  };
  const kinds = [
    { apiVersion: "apps/v1", kind: "DaemonSet" },
    { apiVersion: "v1", kind: "Pod" },
    { apiVersion: "v1", kind: "Node" },
  ];
  const ends = kinds.map((k) => objects.watch(k, poke));
  return () => {
    isEnded = true;
    for (const end of ends) end();
  };
}
