/** ReplicaSets of every Deployment: one for the template of now, older ones shrinking as it grows, and the status. */

import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { isOwnedBy, type OnError, ownerReference, putStatus, refOf, runLoop, templateHash } from "./loop.ts";

const HASH_LABEL = "pod-template-hash";
const REVISION = "deployment.kubernetes.io/revision";

/** A count or a percentage of the replicas, as `maxSurge` (rounded up) and `maxUnavailable` (rounded down) are given. */
export function countOf(value: unknown, replicas: number, round: (n: number) => number): number {
  const percent = /^([0-9]{1,3})%$/.exec(String(value))?.[1];
  return percent === undefined ? Number(value) || 0 : round((Number(percent) * replicas) / 100);
}

/** The ReplicaSet of a Deployment's present template. */
export function replicaSetOf(deployment: KubeObject, replicas: number, revision: number): NewObject {
  const { template, selector } = deployment["spec"];
  const hash = templateHash(deployment);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? "default",
      labels,
      annotations: { [REVISION]: String(revision) },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas,
      selector: { matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

const replicasOf = (set: KubeObject) => Number(set["spec"]?.replicas ?? 0);
const availableOf = (set: KubeObject) => Number(set["status"]?.availableReplicas ?? 0);
const sum = (sets: readonly KubeObject[], of: (set: KubeObject) => number) => sets.reduce((n, s) => n + of(s), 0);
const revisionOf = (set: KubeObject) => Number(set.metadata.annotations?.[REVISION] ?? 0);

/** How large each ReplicaSet should be now (`fresh` is the present template's, undefined while there is none), and the status. */
export function planDeployment(deployment: KubeObject, sets: readonly KubeObject[]) {
  const spec = deployment["spec"];
  const wanted = Number(spec?.replicas ?? 1);
  const own = sets.filter((s) => isOwnedBy(s, deployment));
  const fresh = own.find((s) => s.metadata.name === `${deployment.metadata.name}-${templateHash(deployment)}`);
  const old = own.filter((s) => s !== fresh).toSorted((a, b) => revisionOf(a) - revisionOf(b));
  const rolling = spec?.strategy?.rollingUpdate ?? {};
  const isRecreate = spec?.strategy?.type === "Recreate";
  const surge = isRecreate ? 0 : countOf(rolling.maxSurge ?? "25%", wanted, Math.ceil);
  const unavailable = isRecreate ? wanted : countOf(rolling.maxUnavailable ?? "25%", wanted, Math.floor);
  const oldTotal = sum(old, replicasOf);
  const oldStanding = sum(old, (s) => Number(s["status"]?.replicas ?? 0));
  const room = isRecreate && oldStanding > 0 ? 0 : wanted + Math.max(surge, unavailable === 0 ? 1 : 0) - oldTotal;
  const freshSize = Math.max(Math.min(wanted, room), Math.min(wanted, fresh === undefined ? 0 : replicasOf(fresh)));
  // What may be missing, less what is: the oldest shrink first.
  let spare = Math.max(0, sum(own, availableOf) - Math.max(0, wanted - unavailable));
  const oldSizes = old.map((set) => {
    const broken = Math.max(0, replicasOf(set) - availableOf(set));
    const less = Math.min(replicasOf(set), broken + spare);
    spare -= Math.max(0, less - broken);
    return { set, size: replicasOf(set) - less };
  });
  const all = { replicas: sum(own, (s) => Number(s["status"]?.replicas ?? 0)), available: sum(own, availableOf) };
  const status = {
    replicas: all.replicas,
    updatedReplicas: Number(fresh?.["status"]?.replicas ?? 0),
    readyReplicas: all.available,
    availableReplicas: all.available,
    unavailableReplicas: Math.max(0, wanted - all.available),
    observedGeneration: deployment.metadata.generation ?? 1,
  };
  return {
    fresh,
    freshSize,
    oldSizes,
    status,
    revision: Math.max(0, ...own.map(revisionOf)) + 1,
    isAvailable: all.available >= wanted - unavailable,
  };
}

function conditionsOf(deployment: KubeObject, isAvailable: boolean) {
  const before = (deployment["status"]?.conditions ?? []) as {
    type: string;
    status: string;
    lastTransitionTime: string;
  }[];
  const status = isAvailable ? "True" : "False";
  const old = before.find((c) => c.type === "Available" && c.status === status);
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const reason = isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable";
  const message = `Deployment ${isAvailable ? "has" : "does not have"} minimum availability.`;
  return [
    {
      type: "Available",
      status,
      reason,
      message,
      lastUpdateTime: old?.lastTransitionTime ?? now,
      lastTransitionTime: old?.lastTransitionTime ?? now,
    },
  ];
}

/** Works until ended. @returns ends it */
export function runDeployments(objects: ObjectClient, onError: OnError): () => void {
  function resize(set: KubeObject, size: number): void {
    if (replicasOf(set) !== size) objects.patch(refOf(set), { spec: { replicas: size } });
  }
  function reconcileOne(deployment: KubeObject, sets: readonly KubeObject[]): void {
    const plan = planDeployment(deployment, sets);
    if (plan.fresh === undefined) objects.create(replicaSetOf(deployment, plan.freshSize, plan.revision));
    else resize(plan.fresh, plan.freshSize);
    for (const { set, size } of plan.oldSizes) resize(set, size);
    const keep = Number(deployment["spec"]?.revisionHistoryLimit ?? 10);
    const empty = plan.oldSizes.filter(({ set, size }) => size === 0 && Number(set["status"]?.replicas ?? 0) === 0);
    for (const { set } of empty.slice(0, Math.max(0, empty.length - keep))) objects.delete(refOf(set));
    putStatus(objects, deployment, { ...plan.status, conditions: conditionsOf(deployment, plan.isAvailable) });
  }
  const kinds = [
    { apiVersion: "apps/v1", kind: "Deployment" },
    { apiVersion: "apps/v1", kind: "ReplicaSet" },
  ];
  return runLoop(objects, kinds, () => {
    const sets = objects.list({ apiVersion: "apps/v1", kind: "ReplicaSet" });
    for (const deployment of objects.list({ apiVersion: "apps/v1", kind: "Deployment" })) {
      if (deployment.metadata.deletionTimestamp !== undefined || deployment["spec"]?.paused === true) continue;
      try {
        reconcileOne(deployment, sets);
      } catch (error) {
        onError(error, `reconcile Deployment "${deployment.metadata.namespace}/${deployment.metadata.name}"`);
      }
    }
  });
}
