/** How objects are written and deleted: what requests and the server's own controllers choose. */

import type { FieldValidation } from "./prepare.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";
import type { ServiceAllocator } from "./service-ips.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

/** How a write is done. */
export interface WriteOptions {
  /** Field manager; undefined: ownership of fields is not tracked (the lab's own controllers). */
  readonly manager: string | undefined;
  readonly dryRun: boolean;
  /** `""` for the object itself. */
  readonly subresource: "" | "status" | "finalize";
  readonly fieldValidation: FieldValidation;
  /** The candidate was made from the stored object: another uid in it is a wrong value, not another object. */
  readonly isPatch?: boolean;
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

/** What all verbs work on. */
export interface OperationContext {
  readonly storage: Storage;
  readonly services: ServiceAllocator;
  readonly nowMs: () => number;
}

/** The version of a stored object that a resource type shows. */
export function inVersion(r: ResourceType, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(r);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** Stores an object, or shows what would be stored. */
export function putObject(c: OperationContext, r: ResourceType, object: KubeObject, isDry: boolean): KubeObject {
  const { namespace, name } = object.metadata;
  return isDry ? object : c.storage.put(r.storage, objectKey(namespace, name), object);
}

/** Whether nothing holds an object that is to be deleted. */
export function isDeletable(r: ResourceType, object: KubeObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers ?? []).length > 0) return false;
  if (r.storage === "/namespaces") return (object["spec"]?.finalizers ?? []).length === 0;
  return (deletionGracePeriodSeconds ?? 0) === 0;
}

/** Removes an object. @returns its last state, with the revision of the removal */
export function removeObject(c: OperationContext, r: ResourceType, last: KubeObject): KubeObject {
  return c.storage.remove(r.storage, objectKey(last.metadata.namespace, last.metadata.name)) ?? last;
}
