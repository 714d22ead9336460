/** Deployments: one ReplicaSet for each pod template they have had, rolled over as their strategy says. */

import type { Json, KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { isOwnedBy, type OnError, ownerReference, putStatus, refOf, runLoop, templateHash } from "./loop.ts";

const HASH_LABEL = "pod-template-hash";
const REVISION = "deployment.kubernetes.io/revision";

/** Pods of a number or a percentage of `total`. */
export function amount(value: number | string | undefined, total: number, round: (n: number) => number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value ?? "");
  return percent === null ? 0 : round((Number(percent[1]) / 100) * total);
}

function revisionOf(object: KubeObject): number {
  return Number(object.metadata.annotations?.[REVISION] ?? 0);
}

/** The ReplicaSet for a deployment's present template, without pods yet. */
function newReplicaSet(deployment: KubeObject, revision: number): NewObject {
  const hash = templateHash(deployment);
  const { selector, template } = deployment["spec"];
  const labels = { ...template?.metadata?.labels, [HASH_LABEL]: hash };
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
      replicas: 0,
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template?.metadata, labels } },
    },
  };
}

const specOf = (set: KubeObject): number => set["spec"]?.replicas ?? 0;
const statusOf = (set: KubeObject, key: string): number => set["status"]?.[key] ?? 0;
const sum = (sets: readonly KubeObject[], of: (s: KubeObject) => number) => sets.reduce((n, s) => n + of(s), 0);

/** Wanted sizes of all sets, by name. */
function planSizes(
  deployment: KubeObject,
  current: KubeObject,
  old: readonly KubeObject[],
): ReadonlyMap<string, number> {
  const wanted: number = deployment["spec"]?.replicas ?? 1;
  const strategy = deployment["spec"]?.strategy ?? {};
  const sizes = new Map([current, ...old].map((s) => [s.metadata.name, specOf(s)]));
  if (strategy.type === "Recreate") {
    for (const s of old) sizes.set(s.metadata.name, 0);
    // Nothing new while an old pod lives.
    if (sum(old, (s) => Math.max(specOf(s), statusOf(s, "replicas"))) === 0) sizes.set(current.metadata.name, wanted);
    return sizes;
  }
  const surge = amount(strategy.rollingUpdate?.maxSurge, wanted, Math.ceil);
  const unavailable = amount(strategy.rollingUpdate?.maxUnavailable, wanted, Math.floor);
  // Both zero would never move.
  const missing = surge === 0 && unavailable === 0 ? 1 : unavailable;
  const others = sum(old, specOf);
  const room = Math.max(0, wanted + surge - others);
  const next = specOf(current) > wanted ? wanted : Math.min(wanted, Math.max(specOf(current), room));
  sizes.set(current.metadata.name, next);
  // What may go: everything old that does not serve, and of what serves as much as can be missed.
  const available = sum([current, ...old], (s) => statusOf(s, "availableReplicas"));
  let spare = Math.max(0, available - (wanted - missing));
  for (const s of old) {
    const dead = Math.max(0, specOf(s) - statusOf(s, "availableReplicas"));
    const taken = Math.min(specOf(s) - dead, spare);
    spare -= taken;
    sizes.set(s.metadata.name, specOf(s) - dead - taken);
  }
  return sizes;
}

function conditionsOf(deployment: KubeObject, available: number, isDone: boolean): Json {
  const wanted: number = deployment["spec"]?.replicas ?? 1;
  const missing = amount(deployment["spec"]?.strategy?.rollingUpdate?.maxUnavailable, wanted, Math.floor);
  const isAvailable = available >= wanted - missing;
  const before = (deployment["status"]?.conditions ?? []) as readonly { [key: string]: string }[];
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const condition = (type: string, status: string, reason: string, message: string): { [key: string]: string } => {
    const old = before.find((c) => c["type"] === type);
    const isSame = old?.["status"] === status && old["reason"] === reason;
    const since = (key: string) => (isSame ? (old?.[key] ?? now) : now);
    return {
      type,
      status,
      reason,
      message,
      lastUpdateTime: since("lastUpdateTime"),
      lastTransitionTime: since("lastTransitionTime"),
    };
  };
  return [
    isAvailable
      ? condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
      : condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    isDone
      ? condition("Progressing", "True", "NewReplicaSetAvailable", "The newest ReplicaSet has successfully progressed.")
      : condition("Progressing", "True", "ReplicaSetUpdated", "The newest ReplicaSet is progressing."),
  ];
}

/** The status of a deployment with these sets. */
function deploymentStatus(deployment: KubeObject, current: KubeObject | undefined, all: readonly KubeObject[]) {
  const wanted: number = deployment["spec"]?.replicas ?? 1;
  const replicas = sum(all, (s) => statusOf(s, "replicas"));
  const available = sum(all, (s) => statusOf(s, "availableReplicas"));
  const updated = current === undefined ? 0 : statusOf(current, "replicas");
  const isDone = updated === wanted && replicas === wanted && available === wanted;
  return {
    observedGeneration: deployment.metadata.generation ?? 1,
    replicas,
    updatedReplicas: updated,
    readyReplicas: sum(all, (s) => statusOf(s, "readyReplicas")),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
    conditions: conditionsOf(deployment, available, isDone),
  };
}

/** Works until ended. @returns ends it */
export function runDeployments(objects: ObjectClient, onError: OnError): () => void {
  function currentSet(deployment: KubeObject, sets: readonly KubeObject[]): KubeObject {
    const hash = templateHash(deployment);
    const found = sets.find((s) => s.metadata.labels?.[HASH_LABEL] === hash);
    const last = Math.max(0, ...sets.map(revisionOf));
    if (found === undefined) return objects.create(newReplicaSet(deployment, last + 1));
    if (revisionOf(found) === last) return found;
    // Back to an old template: it is the newest revision now.
    return objects.patch(refOf(found), { metadata: { annotations: { [REVISION]: String(last + 1) } } });
  }

  function reconcile(deployment: KubeObject, all: readonly KubeObject[]): void {
    const { deletionTimestamp, annotations } = deployment.metadata;
    if (deletionTimestamp !== undefined) return;
    const sets = all.filter((s) => isOwnedBy(s, deployment));
    const isPaused = deployment["spec"]?.paused === true;
    const current = isPaused
      ? sets.find((s) => s.metadata.labels?.[HASH_LABEL] === templateHash(deployment))
      : currentSet(deployment, sets);
    const old = sets
      .filter((s) => s.metadata.uid !== current?.metadata.uid)
      .toSorted((a, b) => revisionOf(a) - revisionOf(b));
    if (current !== undefined) {
      for (const [name, replicas] of planSizes(deployment, current, old)) {
        const set = [current, ...old].find((s) => s.metadata.name === name);
        if (set !== undefined && specOf(set) !== replicas) objects.patch(refOf(set), { spec: { replicas } });
      }
      if (annotations?.[REVISION] !== current.metadata.annotations?.[REVISION])
        objects.patch(refOf(deployment), { metadata: { annotations: { [REVISION]: String(revisionOf(current)) } } });
    }
    const limit: number = deployment["spec"]?.revisionHistoryLimit ?? 10;
    const idle = old.filter((s) => specOf(s) === 0 && statusOf(s, "replicas") === 0);
    for (const s of idle.slice(0, Math.max(0, idle.length - limit))) objects.delete(refOf(s));
    const standing = current === undefined ? old : [current, ...old];
    putStatus(objects, deployment, deploymentStatus(deployment, current, standing));
  }

  const kinds = [
    { apiVersion: "apps/v1", kind: "Deployment" },
    { apiVersion: "apps/v1", kind: "ReplicaSet" },
  ];
  return runLoop(objects, kinds, () => {
    const sets = Map.groupBy(objects.list({ apiVersion: "apps/v1", kind: "ReplicaSet" }), (s) => s.metadata.namespace);
    for (const deployment of objects.list({ apiVersion: "apps/v1", kind: "Deployment" })) {
      try {
        reconcile(deployment, sets.get(deployment.metadata.namespace) ?? []);
      } catch (error) {
        onError(error, `reconcile Deployment "${deployment.metadata.namespace}/${deployment.metadata.name}"`);
      }
    }
  });
}
