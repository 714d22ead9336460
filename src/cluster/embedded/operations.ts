/**
 * Create, update, patch and delete with the rules of the Kubernetes API. Everything is synchronous: one request is
 * decided against one state, and what it writes is the next one.
 */

import { randomUUID } from "node:crypto";
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  forbidden,
  invalid,
  invalidValue,
  modified,
  notFound,
} from "./api-error.ts";
import { applyConfiguration } from "./apply.ts";
import { admitNew, defaultObject } from "./defaults.ts";
import { type Fields, jsonEqual, timestamp, without } from "./fields.ts";
import { trackUpdate } from "./managed-fields.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import { decodeObject, type FieldValidation, prepareObject } from "./prepare.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";
import { createServiceAllocator } from "./service-ips.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { KubeObject, ObjectMeta } from "./types.ts";

/** How a write is done. */
export interface WriteOptions {
  /** Field manager; undefined: ownership of fields is not tracked (the lab's own controllers). */
  readonly manager: string | undefined;
  readonly dryRun: boolean;
  /** `""` for the object itself. */
  readonly subresource: "" | "status" | "finalize";
  readonly fieldValidation: FieldValidation;
  readonly warn: (text: string) => void;
}

/** How an object is deleted. */
export interface DeleteOptions {
  /** Seconds; undefined: the object's own. Only pods wait. */
  readonly graceSeconds: number | undefined;
  readonly propagation: "Background" | "Foreground" | "Orphan";
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

/** Writes without tracking, checks or dry run. */
export const PLAIN_WRITE: WriteOptions = {
  manager: undefined,
  dryRun: false,
  subresource: "",
  fieldValidation: "Ignore",
  warn: () => {},
};

/** Deletion in the background with the object's own grace. */
export const PLAIN_DELETE: DeleteOptions = {
  graceSeconds: undefined,
  propagation: "Background",
  uid: undefined,
  resourceVersion: undefined,
  dryRun: false,
};

/** Finalizers that the garbage collector removes. */
export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

/** The API's verbs. `namespace` is undefined for cluster-wide kinds. All throw {@link ApiError}. */
export interface Operations {
  get(r: ResourceType, namespace: string | undefined, name: string): KubeObject;
  create(r: ResourceType, namespace: string | undefined, body: unknown, options: WriteOptions): KubeObject;
  /** Replaces by what `change` makes of the stored object. */
  update(
    r: ResourceType,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
    options: WriteOptions,
  ): KubeObject;
  /** Server-side apply. @returns whether the object was made by it */
  apply(
    r: ResourceType,
    namespace: string | undefined,
    name: string,
    config: unknown,
    options: WriteOptions & { readonly manager: string; readonly force: boolean },
  ): { readonly object: KubeObject; readonly isNew: boolean };
  /** @returns the object as it was or is now, and whether it is gone */
  delete(
    r: ResourceType,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): { readonly object: KubeObject; readonly isGone: boolean };
}

const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

function generatedName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => SUFFIX_LETTERS[Math.floor(Math.random() * SUFFIX_LETTERS.length)]);
  return base.slice(0, 58) + suffix.join("");
}

/** The version of a stored object that a resource type shows. */
export function inVersion(r: ResourceType, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(r);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** The verbs over a storage. */
export function createOperations(storage: Storage, nowMs: () => number = Date.now): Operations {
  const services = createServiceAllocator(storage);

  function stored(r: ResourceType, namespace: string | undefined, name: string): KubeObject {
    const found = storage.get(r.storage, objectKey(namespace, name));
    if (found === undefined) throw notFound(r, name);
    return inVersion(r, found);
  }

  function requireNamespace(r: ResourceType, namespace: string | undefined, name: string): void {
    if (!r.isNamespaced || namespace === undefined) return;
    const found = storage.get("/namespaces", objectKey(undefined, namespace));
    const kind = { group: "", plural: "namespaces", kind: "Namespace" };
    if (found === undefined) throw notFound(kind, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const message = `namespace ${namespace} is being terminated`;
    throw forbidden(r, name, why, [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }]);
  }

  function track(r: ResourceType, before: KubeObject | undefined, after: KubeObject, o: WriteOptions): KubeObject {
    if (o.manager === undefined) return after;
    return trackUpdate(before, after, mergeSchemaOf(r), {
      manager: o.manager,
      subresource: o.subresource,
      nowMs: nowMs(),
    });
  }

  function put(r: ResourceType, object: KubeObject, isDry: boolean): KubeObject {
    const { namespace, name } = object.metadata;
    return isDry ? object : storage.put(r.storage, objectKey(namespace, name), object);
  }

  function createDecoded(r: ResourceType, decoded: KubeObject, o: WriteOptions, isTracked: boolean): KubeObject {
    const given = decoded.metadata;
    const name = given.name || (given.generateName ? generatedName(given.generateName) : "");
    if (given.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
    requireNamespace(r, given.namespace, name);
    const metadata: ObjectMeta = {
      ...without(given, "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"),
      name,
      uid: randomUUID(),
      resourceVersion: "",
      generation: 1,
      creationTimestamp: timestamp(nowMs()),
    };
    const admitted = admitNew(r, { ...decoded, metadata });
    const complete = prepareObject(r, admitted, undefined, { ...o, services });
    if (storage.get(r.storage, objectKey(given.namespace, name)) !== undefined) {
      // A generated name that is taken is bad luck, not the caller's mistake: the client shall try again.
      throw alreadyExists(r, name);
    }
    if (!isTracked || o.manager === undefined) return put(r, complete, o.dryRun);
    // The writer owns what it sent and its defaults, not what admission added.
    const own = r.custom === undefined ? defaultObject(r, { ...decoded, metadata }) : complete;
    const sent = r.subresources.has("status") ? (without(own as Fields, "status") as unknown as KubeObject) : own;
    const { managedFields } = track(r, undefined, sent, o).metadata;
    const owned = managedFields === undefined ? complete.metadata : { ...complete.metadata, managedFields };
    return put(r, { ...complete, metadata: owned }, o.dryRun);
  }

  /** The parts of a candidate that this path may change, the rest from the stored object. */
  function combine(r: ResourceType, current: KubeObject, candidate: KubeObject, o: WriteOptions): KubeObject {
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

  function checkPreconditions(r: ResourceType, current: KubeObject, candidate: KubeObject): void {
    const { name, uid, resourceVersion } = candidate.metadata;
    if (name !== undefined && name !== current.metadata.name)
      throw badRequest(
        `the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`,
      );
    if (uid && uid !== current.metadata.uid)
      throw conflict(
        r,
        current.metadata.name,
        `StorageError: invalid object: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
      );
    if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
      throw modified(r, current.metadata.name);
  }

  function checkFinalizers(r: ResourceType, current: KubeObject, next: KubeObject): void {
    if (current.metadata.deletionTimestamp === undefined) return;
    const added = (next.metadata.finalizers ?? []).filter((f) => !(current.metadata.finalizers ?? []).includes(f));
    if (added.length > 0)
      throw invalid(r, next.metadata.name, [
        invalidValue("metadata.finalizers", added, "no new finalizers can be added if the object is being deleted"),
      ]);
  }

  function finish(
    r: ResourceType,
    current: KubeObject,
    combined: KubeObject,
    o: WriteOptions,
    isTracked: boolean,
  ): KubeObject {
    checkFinalizers(r, current, combined);
    let next = prepareObject(r, combined, current, { ...o, services });
    const content = (x: KubeObject) => without(x as Fields, "metadata", "status");
    const isChanged = !jsonEqual(content(current), content(next));
    const generation = (current.metadata.generation ?? 1) + (isChanged ? 1 : 0);
    next = { ...next, metadata: { ...next.metadata, generation, resourceVersion: current.metadata.resourceVersion } };
    const bare = (x: KubeObject) => ({ ...x, metadata: without(x.metadata, "managedFields") });
    const isSame = jsonEqual(bare(current), bare(next));
    if (isTracked && !isSame) next = track(r, current, next, o);
    if (isSame && jsonEqual(current.metadata.managedFields, next.metadata.managedFields)) return current;
    if (isDeletable(r, next)) return o.dryRun ? next : remove(r, next);
    return put(r, next, o.dryRun);
  }

  function isDeletable(r: ResourceType, object: KubeObject): boolean {
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata;
    if (deletionTimestamp === undefined || (finalizers ?? []).length > 0) return false;
    if (r.storage === "/namespaces") return (object["spec"]?.finalizers ?? []).length === 0;
    return (deletionGracePeriodSeconds ?? 0) === 0;
  }

  function remove(r: ResourceType, last: KubeObject): KubeObject {
    const key = objectKey(last.metadata.namespace, last.metadata.name);
    return storage.remove(r.storage, key) ?? last;
  }

  function graceOf(r: ResourceType, object: KubeObject, wanted: number | undefined): number {
    if (r.storage !== "/pods") return 0;
    const { spec, status } = object as Fields;
    if (!spec?.nodeName || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
    return Math.max(0, wanted ?? spec.terminationGracePeriodSeconds ?? 30);
  }

  function finalizersFor(object: KubeObject, propagation: DeleteOptions["propagation"]): readonly string[] {
    const kept = (object.metadata.finalizers ?? []).filter((f) => f !== FOREGROUND && f !== ORPHAN);
    if (propagation === "Foreground") return [...kept, FOREGROUND];
    return propagation === "Orphan" ? [...kept, ORPHAN] : kept;
  }

  function deleteObject(r: ResourceType, current: KubeObject, o: DeleteOptions) {
    const { metadata } = current;
    if (o.uid !== undefined && o.uid !== metadata.uid)
      throw conflict(
        r,
        metadata.name,
        `Precondition failed: UID in precondition: ${o.uid}, UID in object meta: ${metadata.uid}`,
      );
    if (o.resourceVersion !== undefined && o.resourceVersion !== metadata.resourceVersion)
      throw modified(r, metadata.name);
    const wanted = graceOf(r, current, o.graceSeconds);
    // A second deletion may only shorten the wait.
    const seconds =
      metadata.deletionTimestamp === undefined ? wanted : Math.min(wanted, metadata.deletionGracePeriodSeconds ?? 0);
    const finalizers =
      metadata.deletionTimestamp === undefined ? finalizersFor(current, o.propagation) : (metadata.finalizers ?? []);
    const { finalizers: _, ...rest } = metadata;
    const marked: KubeObject = {
      ...current,
      metadata: {
        ...rest,
        ...(finalizers.length === 0 ? {} : { finalizers }),
        deletionTimestamp:
          metadata.deletionTimestamp !== undefined && seconds === metadata.deletionGracePeriodSeconds
            ? metadata.deletionTimestamp
            : timestamp(nowMs() + seconds * 1000),
        deletionGracePeriodSeconds: seconds,
        generation: (metadata.generation ?? 1) + (metadata.deletionTimestamp === undefined ? 1 : 0),
      },
      ...(r.storage === "/namespaces" ? { status: { ...current["status"], phase: "Terminating" } } : {}),
    };
    if (isDeletable(r, marked)) return { object: o.dryRun ? current : remove(r, marked), isGone: true };
    if (jsonEqual(marked, current)) return { object: current, isGone: false };
    return { object: put(r, marked, o.dryRun), isGone: false };
  }

  return {
    get: stored,
    create: (r, namespace, body, o) => createDecoded(r, decodeObject(r, body, namespace), o, true),
    update(r, namespace, name, change, o) {
      const current = stored(r, namespace, name);
      const candidate = decodeObject(r, change(current), namespace);
      checkPreconditions(r, current, candidate);
      return finish(r, current, combine(r, current, candidate, o), o, true);
    },
    apply(r, namespace, name, config, o) {
      const decoded = decodeObject(r, config, namespace);
      if (decoded.metadata.managedFields !== undefined) throw badRequest("metadata.managedFields must be nil");
      if (decoded.metadata.name !== undefined && decoded.metadata.name !== name)
        throw badRequest(
          `the name of the object (${decoded.metadata.name}) does not match the name on the URL (${name})`,
        );
      const writer = { manager: o.manager, subresource: o.subresource, nowMs: nowMs(), force: o.force };
      const schema = mergeSchemaOf(r);
      const existing = storage.get(r.storage, objectKey(namespace, name));
      if (existing === undefined) {
        const named = { ...decoded, metadata: { ...decoded.metadata, name } };
        return { object: createDecoded(r, applyConfiguration(named, named, schema, writer), o, false), isNew: true };
      }
      const current = inVersion(r, existing);
      checkPreconditions(r, current, decoded);
      const next = applyConfiguration(current, decoded, schema, writer);
      return { object: finish(r, current, combine(r, current, next, o), o, false), isNew: false };
    },
    delete: (r, namespace, name, o) => deleteObject(r, stored(r, namespace, name), o),
  };
}

/** Whether an error is the API's own refusal. */
export function isApiError(error: unknown): error is ApiError {
  return error instanceof ApiError;
}
