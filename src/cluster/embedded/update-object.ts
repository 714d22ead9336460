/** Updates: what each path may change, and what an update is compared with. */

import { badRequest, conflict, invalid, invalidValue, modified } from "./api-error.ts";
import { type Fields, jsonEqual, without } from "./fields.ts";
import { isDeletable, type OperationContext, putObject, removeObject, type WriteOptions } from "./operation-types.ts";
import { prepareObject } from "./prepare.ts";
import type { ResourceType } from "./resources.ts";
import { trackWrite } from "./track-write.ts";
import type { KubeObject } from "./types.ts";

/** The parts of a candidate that this path may change, the rest from the stored object. */
export function combineUpdate(
  r: ResourceType,
  current: KubeObject,
  candidate: KubeObject,
  o: WriteOptions,
): KubeObject {
  const { status: oldStatus, ...oldRest } = current as Fields;
  const { status: newStatus, ...newRest } = candidate as Fields;
  const fixed = without(
    current.metadata,
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "generateName",
  );
  const metadata = { ...candidate.metadata, ...fixed };
  const withStatus = (rest: Fields, status: unknown) =>
    (status === undefined ? rest : { ...rest, status }) as unknown as KubeObject;
  if (o.subresource === "status") {
    // A custom resource's status path keeps the metadata, a built-in kind's does not (kubelets set node annotations by it).
    const keptMetadata =
      r.custom === undefined ? metadata : { ...current.metadata, managedFields: candidate.metadata.managedFields };
    return withStatus({ ...oldRest, metadata: keptMetadata }, newStatus);
  }
  if (o.subresource === "finalize")
    return { ...current, spec: { ...current["spec"], finalizers: candidate["spec"]?.finalizers } };
  const status = r.subresources.has("status") ? oldStatus : newStatus;
  return withStatus({ ...newRest, metadata }, status);
}

/** Refuses a candidate that means another object, or an older state of this one. @throws ApiError 400, 409 */
export function checkPreconditions(r: ResourceType, current: KubeObject, candidate: KubeObject, isPatch = false): void {
  const { name, uid, resourceVersion } = candidate.metadata;
  if (name !== undefined && name !== current.metadata.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`);
  if (isPatch && uid !== current.metadata.uid)
    throw invalid(r, current.metadata.name, [invalidValue("metadata.uid", uid, "field is immutable")]);
  if (uid && uid !== current.metadata.uid)
    throw conflict(
      r,
      current.metadata.name,
      `StorageError: invalid object: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw modified(r, current.metadata.name);
}

function checkFinalizers(r: ResourceType, current: KubeObject, next: KubeObject): void {
  if (current.metadata.deletionTimestamp === undefined) return;
  const added = (next.metadata.finalizers ?? []).filter((f) => !(current.metadata.finalizers ?? []).includes(f));
  if (added.length > 0)
    throw invalid(r, next.metadata.name, [
      invalidValue("metadata.finalizers", added, "no new finalizers can be added if the object is being deleted"),
    ]);
}

/** Completes, checks and stores what an update made. @param isTracked whether ownership of fields is to be worked out */
export function finishUpdate(
  c: OperationContext,
  r: ResourceType,
  current: KubeObject,
  combined: KubeObject,
  o: WriteOptions,
  isTracked: boolean,
): KubeObject {
  checkFinalizers(r, current, combined);
  let next = prepareObject(r, combined, current, { ...o, services: c.services });
  const content = (x: KubeObject) => without(x as Fields, "metadata", "status");
  const isChanged = !jsonEqual(content(current), content(next));
  const generation = (current.metadata.generation ?? 1) + (isChanged ? 1 : 0);
  next = { ...next, metadata: { ...next.metadata, generation, resourceVersion: current.metadata.resourceVersion } };
  const bare = (x: KubeObject) => ({ ...x, metadata: without(x.metadata, "managedFields") });
  const isSame = jsonEqual(bare(current), bare(next));
  if (isTracked && !isSame) next = trackWrite(c, r, current, next, o);
  if (isSame && jsonEqual(current.metadata.managedFields, next.metadata.managedFields)) return current;
  if (isDeletable(r, next)) return o.dryRun ? next : removeObject(c, r, next);
  return putObject(c, r, next, o.dryRun);
}
