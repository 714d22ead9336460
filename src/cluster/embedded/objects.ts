/** Direct access to the embedded API for code in the same process, by the same rules as over HTTP. */

import { badRequest } from "./api-error.ts";
import { parseFieldSelector } from "./field-selector.ts";
import { type Matcher, parseLabelSelector } from "./label-selector.ts";
import { inVersion, PLAIN_DELETE, PLAIN_WRITE } from "./operation-types.ts";
import type { Operations } from "./operations.ts";
import { mergePatch } from "./patch-merge.ts";
import type { Registry } from "./registry.ts";
import type { ResourceType } from "./resources.ts";
import { objectKey, type Storage, type StorageEvent } from "./storage.ts";
import type { KubeObject, NewObject, ObjectClient, ObjectEvent, ObjectRef, Selection } from "./types.ts";

/** Whether an object lies in a namespace (undefined: any) and both selectors choose it. @throws ApiError 400 */
export function selectionMatcher(
  r: ResourceType,
  namespace: string | undefined,
  labelSelector: string | undefined,
  fieldSelector: string | undefined,
): Matcher {
  const tests: Matcher[] = [];
  if (namespace !== undefined) tests.push((o) => o.metadata.namespace === namespace);
  if (labelSelector) tests.push(parseLabelSelector(labelSelector));
  if (fieldSelector) tests.push(parseFieldSelector(r, fieldSelector));
  return (o) => tests.every((t) => t(o));
}

/** What a stored change is to someone who sees only what matches; undefined: nothing. */
export function eventFor(event: StorageEvent, matches: Matcher): ObjectEvent | undefined {
  const was = event.before !== undefined && matches(event.before);
  const is = event.type !== "DELETED" && matches(event.object);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object: event.object };
  if (!was) return undefined;
  // The last state that was seen, with the revision of the change that took it away.
  const { before, object } = event;
  const metadata = { ...(before ?? object).metadata, resourceVersion: object.metadata.resourceVersion };
  return { type: "DELETED", object: { ...(before ?? object), metadata } };
}

/** Objects that match, in order of their keys. */
export function listObjects(storage: Storage, r: ResourceType, matches: Matcher): KubeObject[] {
  const found: [string, KubeObject][] = [];
  for (const [key, object] of storage.table(r.storage).entries()) if (matches(object)) found.push([key, object]);
  found.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return found.map(([, o]) => inVersion(r, o));
}

/** The in-process client. */
export function createObjectClient(registry: Registry, storage: Storage, operations: Operations): ObjectClient {
  function typeOf(ref: { readonly apiVersion: string; readonly kind: string }): ResourceType {
    const r = registry.byKind(ref.apiVersion, ref.kind);
    if (r === undefined) throw badRequest(`no matches for kind "${ref.kind}" in version "${ref.apiVersion}"`);
    return r;
  }
  const namespaceOf = (r: ResourceType, namespace: string | undefined) =>
    r.isNamespaced ? (namespace ?? "default") : undefined;

  function merged(ref: ObjectRef, patch: unknown, subresource: "" | "status"): KubeObject {
    const r = typeOf(ref);
    const options = { ...PLAIN_WRITE, subresource, isPatch: true };
    return operations.update(r, namespaceOf(r, ref.namespace), ref.name, (o) => mergePatch(o, patch), options);
  }

  function refOf(object: NewObject): ObjectRef {
    const { namespace, name } = object.metadata;
    if (name === undefined) throw badRequest("metadata.name is required here");
    return {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
    };
  }

  const client: ObjectClient = {
    create(object) {
      const r = typeOf(object);
      return operations.create(r, namespaceOf(r, object.metadata.namespace), structuredClone(object), PLAIN_WRITE);
    },
    get(ref) {
      const r = typeOf(ref);
      const found = storage.get(r.storage, objectKey(namespaceOf(r, ref.namespace), ref.name));
      return found === undefined ? undefined : inVersion(r, found);
    },
    list(selection) {
      const r = typeOf(selection);
      const { namespace, labelSelector, fieldSelector } = selection;
      return listObjects(storage, r, selectionMatcher(r, namespace, labelSelector, fieldSelector));
    },
    patch: (ref, patch, subresource) => merged(ref, structuredClone(patch), subresource ?? ""),
    update(object, subresource) {
      const r = typeOf(object);
      const ref = refOf(object);
      const options = { ...PLAIN_WRITE, subresource: subresource ?? ("" as const) };
      return operations.update(r, namespaceOf(r, ref.namespace), ref.name, () => structuredClone(object), options);
    },
    apply(object) {
      const ref = refOf(object);
      if (client.get(ref) === undefined) return client.create(object);
      return merged(ref, structuredClone(object), "");
    },
    delete(ref, options) {
      const current = client.get(ref);
      if (current === undefined || (options?.uid !== undefined && options.uid !== current.metadata.uid)) return false;
      const r = typeOf(ref);
      operations.delete(r, namespaceOf(r, ref.namespace), ref.name, {
        ...PLAIN_DELETE,
        graceSeconds: options?.graceSeconds,
      });
      return true;
    },
    watch: (selection, listener) => watch(storage, typeOf(selection), selection, listener),
  };
  return client;
}

function watch(storage: Storage, r: ResourceType, s: Selection, listener: (event: ObjectEvent) => void): () => void {
  const matches = selectionMatcher(r, s.namespace, s.labelSelector, s.fieldSelector);
  for (const object of listObjects(storage, r, matches)) listener({ type: "ADDED", object });
  return storage.listen(r.storage, (stored) => {
    const event = eventFor(stored, matches);
    if (event !== undefined) listener({ type: event.type, object: inVersion(r, event.object) });
  });
}
