/** ReplicaSets: as many pods as wanted, surplus ones taken where they hurt least, and the status. */

import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { isOwnedBy, isPodReady, ownerReference, patchStatus, runLevel } from "./common.ts";

/** The pod of a set. */
export function replicaPod(set: KubeObject): NewObject {
  const template = set["spec"]?.template ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels },
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [ownerReference(set)],
    },
    spec: { ...template.spec },
  };
}

/** Surplus pods go in this order: not on a node yet, not ready, youngest. */
function expendability(pod: KubeObject): readonly [number, number, number] {
  return [pod["spec"]?.nodeName ? 1 : 0, isPodReady(pod) ? 1 : 0, -Date.parse(pod.metadata.creationTimestamp)];
}

function compareExpendable(a: KubeObject, b: KubeObject): number {
  const [x, y] = [expendability(a), expendability(b)];
  for (const i of [0, 1, 2] as const) if (x[i] !== y[i]) return x[i] - y[i];
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** How many pods to make, which ones to delete, and the status. */
export function planReplicaSet(set: KubeObject, pods: readonly KubeObject[]) {
  const isOver = (p: KubeObject) => ["Succeeded", "Failed"].includes(p["status"]?.phase);
  const own = pods.filter((p) => isOwnedBy(p, set) && p.metadata.deletionTimestamp === undefined && !isOver(p));
  const wanted: number = set["spec"]?.replicas ?? 1;
  const ready = own.filter(isPodReady).length;
  const status = {
    replicas: own.length,
    fullyLabeledReplicas: own.length,
    readyReplicas: ready,
    availableReplicas: ready,
    observedGeneration: set.metadata.generation ?? 1,
  };
  const toDelete = own.length > wanted ? own.toSorted(compareExpendable).slice(0, own.length - wanted) : [];
  return { create: Math.max(0, wanted - own.length), toDelete, status };
}

/** Works until ended. @returns ends it */
export function runReplicaSets(objects: ObjectClient, onError: (error: unknown, doing: string) => void): () => void {
  function reconcile(set: KubeObject, pods: readonly KubeObject[]): void {
    if (set.metadata.deletionTimestamp !== undefined) return;
    const plan = planReplicaSet(set, pods);
    for (let i = 0; i < plan.create; i++) objects.create(replicaPod(set));
    for (const { metadata } of plan.toDelete) {
      const ref = { apiVersion: "v1", kind: "Pod", namespace: metadata.namespace ?? "default", name: metadata.name };
      objects.delete(ref, { uid: metadata.uid });
    }
    patchStatus(objects, set, plan.status);
  }
  return runLevel(objects, onError, {
    kind: { apiVersion: "apps/v1", kind: "ReplicaSet" },
    also: [{ apiVersion: "v1", kind: "Pod" }],
    reconcileAll(sets, each) {
      const byNamespace = Map.groupBy(objects.list({ apiVersion: "v1", kind: "Pod" }), (p) => p.metadata.namespace);
      for (const set of sets) each(set, () => reconcile(set, byNamespace.get(set.metadata.namespace) ?? []));
    },
  });
}
