/** As many pods of every ReplicaSet as it asks for, and the status. */

import type { KubeObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { isOwnedBy, isPodOver, isPodReady, type OnError, putStatus, refOf, runLoop, workloadPod } from "./loop.ts";

/** Pods that are made in one look: a typing error in `replicas` must not fill the machine at once. */
const MAX_BURST = 50;

/** Who goes first when there are too many: not scheduled, then not ready, then the youngest. */
function deletionRank(pod: KubeObject): number {
  return pod["spec"]?.nodeName ? (isPodReady(pod) ? 2 : 1) : 0;
}

/** What to do for a set now, and its status. */
function planReplicaSet(set: KubeObject, pods: readonly KubeObject[]) {
  const wanted = Number(set["spec"]?.replicas ?? 1);
  const own = pods.filter((p) => isOwnedBy(p, set) && p.metadata.deletionTimestamp === undefined);
  const living = own.filter((p) => !isPodOver(p));
  const surplus = living
    .toSorted(
      (a, b) =>
        deletionRank(a) - deletionRank(b) || b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp),
    )
    .slice(0, Math.max(0, living.length - wanted));
  const ready = living.filter(isPodReady).length;
  const status = {
    replicas: living.length,
    fullyLabeledReplicas: living.length,
    readyReplicas: ready,
    availableReplicas: ready,
    observedGeneration: set.metadata.generation ?? 1,
  };
  const toDelete = [...own.filter(isPodOver), ...surplus];
  return { toCreate: Math.min(MAX_BURST, Math.max(0, wanted - living.length)), toDelete, status };
}

/** Works until ended. @returns ends it */
export function runReplicaSets(objects: ObjectClient, onError: OnError): () => void {
  const kinds = [
    { apiVersion: "apps/v1", kind: "ReplicaSet" },
    { apiVersion: "v1", kind: "Pod" },
  ];
  return runLoop(objects, kinds, () => {
    const pods = objects.list({ apiVersion: "v1", kind: "Pod" });
    for (const set of objects.list({ apiVersion: "apps/v1", kind: "ReplicaSet" })) {
      if (set.metadata.deletionTimestamp !== undefined) continue;
      try {
        const plan = planReplicaSet(set, pods);
        for (const pod of plan.toDelete) objects.delete(refOf(pod));
        for (let i = 0; i < plan.toCreate; i++) objects.create(workloadPod(set));
        putStatus(objects, set, plan.status);
      } catch (error) {
        onError(error, `reconcile ReplicaSet "${set.metadata.namespace}/${set.metadata.name}"`);
      }
    }
  });
}
