/** Life of namespaces: what each has from its start, and emptying one that is being deleted. */

import type { Deferred } from "./deferred.ts";
import { PLAIN_DELETE, PLAIN_WRITE } from "./operation-types.ts";
import type { Operations } from "./operations.ts";
import type { Registry } from "./registry.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { ObjectClient } from "./types.ts";

/** Namespaces of a new cluster. */
export const FIRST_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Starts it. @returns stops it */
export function startNamespaces(
  deps: {
    readonly storage: Storage;
    readonly registry: Registry;
    readonly operations: Operations;
    readonly objects: ObjectClient;
    readonly deferred: Deferred;
  },
  caPem: string,
): () => void {
  const { storage, registry, operations, objects, deferred } = deps;

  function furnish(namespace: string): void {
    objects.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } });
    const data = { "ca.crt": caPem };
    objects.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kube-root-ca.crt", namespace }, data });
  }

  function contents(namespace: string): { readonly storage: string; readonly name: string }[] {
    const out: { storage: string; name: string }[] = [];
    for (const kind of new Set(registry.all().flatMap((r) => (r.isNamespaced ? [r.storage] : []))))
      for (const o of storage.table(kind))
        if (o.metadata.namespace === namespace) out.push({ storage: kind, name: o.metadata.name });
    return out;
  }

  function empty(namespace: string): void {
    const found = storage.get("/namespaces", objectKey(undefined, namespace));
    const type = registry.byStorage("/namespaces");
    if (found?.metadata.deletionTimestamp === undefined || type === undefined) return;
    for (const item of contents(namespace)) {
      const r = registry.byStorage(item.storage);
      const o = storage.get(item.storage, objectKey(namespace, item.name));
      if (r !== undefined && o !== undefined && o.metadata.deletionTimestamp === undefined)
        operations.delete(r, namespace, item.name, PLAIN_DELETE);
    }
    if (contents(namespace).length > 0) return;
    const options = { ...PLAIN_WRITE, subresource: "finalize" as const };
    operations.update(type, undefined, namespace, (o) => ({ ...o, spec: { ...o["spec"], finalizers: [] } }), options);
  }

  return storage.listenAll((kind, { type, object }) => {
    if (kind === "/namespaces") {
      const { name, deletionTimestamp } = object.metadata;
      if (type === "ADDED") deferred.add(`furnish ${name}`, () => furnish(name));
      else if (type === "MODIFIED" && deletionTimestamp !== undefined) deferred.add(`empty ${name}`, () => empty(name));
    } else if (type === "DELETED" && object.metadata.namespace !== undefined) {
      const namespace = object.metadata.namespace;
      const owner = storage.get("/namespaces", objectKey(undefined, namespace));
      if (owner?.metadata.deletionTimestamp !== undefined) deferred.add(`empty ${namespace}`, () => empty(namespace));
    }
  });
}
