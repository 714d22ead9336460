/**
 * Create, update, patch and delete with the rules of the Kubernetes API. Everything is synchronous: one request is
 * decided against one state, and what it writes is the next one.
 */

import { badRequest, conflict, modified, notFound } from "./api-error.ts";
import { applyConfiguration } from "./apply.ts";
import { createObject } from "./create-object.ts";
import { deleteObject } from "./delete-object.ts";
import { isFields } from "./fields.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import { type DeleteOptions, inVersion, type OperationContext, type WriteOptions } from "./operation-types.ts";
import { decodeObject } from "./prepare.ts";
import type { ResourceType } from "./resources.ts";
import { createServiceAllocator } from "./service-ips.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";
import { checkPreconditions, combineUpdate, finishUpdate } from "./update-object.ts";

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

/** The verbs over a storage. */
export function createOperations(storage: Storage, nowMs: () => number = Date.now): Operations {
  const c: OperationContext = { storage, services: createServiceAllocator(storage), nowMs };

  function stored(r: ResourceType, namespace: string | undefined, name: string): KubeObject {
    const found = storage.get(r.storage, objectKey(namespace, name));
    if (found === undefined) throw notFound(r, name);
    return inVersion(r, found);
  }

  return {
    get: stored,
    create: (r, namespace, body, o) => createObject(c, r, decodeObject(r, body, namespace), o, true),
    update(r, namespace, name, change, o) {
      const current = stored(r, namespace, name);
      const candidate = decodeObject(r, change(current), namespace);
      checkPreconditions(r, current, candidate, o.isPatch);
      return finishUpdate(c, r, current, combineUpdate(r, current, candidate, o), o, true);
    },
    apply(r, namespace, name, config, o) {
      if (!isFields(config) || !config["apiVersion"] || !config["kind"])
        throw badRequest("the body of an apply must say its apiVersion and kind");
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
        const { uid, resourceVersion } = decoded.metadata;
        if (resourceVersion) throw modified(r, name);
        if (uid)
          throw conflict(
            r,
            name,
            `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
          );
        const named = { ...decoded, metadata: { ...decoded.metadata, name } };
        return { object: createObject(c, r, applyConfiguration(named, named, schema, writer), o, false), isNew: true };
      }
      const current = inVersion(r, existing);
      checkPreconditions(r, current, decoded);
      const next = applyConfiguration(current, decoded, schema, writer);
      return { object: finishUpdate(c, r, current, combineUpdate(r, current, next, o), o, false), isNew: false };
    },
    delete: (r, namespace, name, o) => deleteObject(c, r, stored(r, namespace, name), o),
  };
}
