/** One pod of every DaemonSet on every node, new ones in the place of those whose template is old, and the status. */

import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import {
  isOwnedBy,
  isPodOver,
  isPodReady,
  type OnError,
  putStatus,
  refOf,
  runLoop,
  templateHash,
  workloadPod,
} from "./loop.ts";

const HASH_LABEL = "controller-revision-hash";

/** The pod of a set on a node. */
export function daemonPod(set: KubeObject, node: string): NewObject {
  return workloadPod(set, { labels: { [HASH_LABEL]: templateHash(set) }, spec: { nodeName: node } });
}

/** What to do for a set now, and its status. */
export function planDaemonSet(set: KubeObject, pods: readonly KubeObject[], nodes: readonly string[]) {
  const hash = templateHash(set);
  const own = pods.filter((p) => isOwnedBy(p, set));
  const living = own.filter((p) => p.metadata.deletionTimestamp === undefined);
  const isCurrent = (p: KubeObject) => p.metadata.labels?.[HASH_LABEL] === hash;
  const toDelete = living.filter((p) => isPodOver(p) || !nodes.includes(p["spec"]?.nodeName));
  // One at a time, as a rolling update with maxUnavailable 1: only while every other pod is ready.
  const isSettled = living.length === nodes.length && living.every(isPodReady);
  const old = living.find((p) => !isCurrent(p));
  if (isSettled && old !== undefined && set["spec"]?.updateStrategy?.type !== "OnDelete") toDelete.push(old);
  // A pod that is ending still has its name, ports and files: its successor waits.
  const toCreate = nodes.filter((node) => !own.some((p) => p["spec"]?.nodeName === node && !isPodOver(p)));
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
export function runDaemonSets(objects: ObjectClient, onError: OnError): () => void {
  function reconcileOne(set: KubeObject, pods: readonly KubeObject[], nodes: readonly KubeObject[]): void {
    const selector = Object.entries((set["spec"]?.template?.spec?.nodeSelector ?? {}) as Record<string, string>);
    const matching = nodes.filter((n) => selector.every(([k, v]) => n.metadata.labels?.[k] === v));
    const plan = planDaemonSet(
      set,
      pods,
      matching.map((n) => n.metadata.name),
    );
    for (const pod of plan.toDelete) objects.delete(refOf(pod));
    for (const node of plan.toCreate) objects.create(daemonPod(set, node));
    putStatus(objects, set, plan.status);
  }
  const kinds = [
    { apiVersion: "apps/v1", kind: "DaemonSet" },
    { apiVersion: "v1", kind: "Pod" },
    { apiVersion: "v1", kind: "Node" },
  ];
  return runLoop(objects, kinds, () => {
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
  });
}
