/** Creation: names, identities, admission, defaults. */

import { randomUUID } from "node:crypto";
import { alreadyExists, badRequest, forbidden, notFound } from "./api-error.ts";
import { admitNew, defaultObject } from "./defaults.ts";
import { type Fields, timestamp, without } from "./fields.ts";
import { type OperationContext, putObject, type WriteOptions } from "./operation-types.ts";
import { prepareObject } from "./prepare.ts";
import type { ResourceType } from "./resources.ts";
import { objectKey } from "./storage.ts";
import { trackWrite } from "./track-write.ts";
import type { KubeObject, ObjectMeta } from "./types.ts";

const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

function generatedName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => SUFFIX_LETTERS[Math.floor(Math.random() * SUFFIX_LETTERS.length)]);
  return base.slice(0, 58) + suffix.join("");
}

function requireNamespace(c: OperationContext, r: ResourceType, namespace: string | undefined, name: string): void {
  if (!r.isNamespaced || namespace === undefined) return;
  const found = c.storage.get("/namespaces", objectKey(undefined, namespace));
  const kind = { group: "", plural: "namespaces", kind: "Namespace" };
  if (found === undefined) throw notFound(kind, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const message = `namespace ${namespace} is being terminated`;
  throw forbidden(r, name, why, [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }]);
}

/** Creates what a body says. @param isTracked whether the writer becomes the owner of what it sent */
export function createObject(
  c: OperationContext,
  r: ResourceType,
  decoded: KubeObject,
  o: WriteOptions,
  isTracked: boolean,
): KubeObject {
  const given = decoded.metadata;
  const name = given.name || (given.generateName ? generatedName(given.generateName) : "");
  if (given.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
  requireNamespace(c, r, given.namespace, name);
  const metadata: ObjectMeta = {
    ...without(given, "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"),
    name,
    uid: randomUUID(),
    resourceVersion: "",
    generation: 1,
    creationTimestamp: timestamp(c.nowMs()),
  };
  const admitted = admitNew(r, { ...decoded, metadata });
  const complete = prepareObject(r, admitted, undefined, { ...o, services: c.services });
  if (c.storage.get(r.storage, objectKey(given.namespace, name)) !== undefined) {
    // A generated name that is taken is bad luck, not the caller's mistake: the client shall try again.
    throw alreadyExists(r, name);
  }
  if (!isTracked || o.manager === undefined) return putObject(c, r, complete, o.dryRun);
  // The writer owns what it sent and its defaults, not what admission added.
  const own = r.custom === undefined ? defaultObject(r, { ...decoded, metadata }) : complete;
  const sent = r.subresources.has("status") ? (without(own as Fields, "status") as unknown as KubeObject) : own;
  const { managedFields } = trackWrite(c, r, undefined, sent, o).metadata;
  const owned = managedFields === undefined ? complete.metadata : { ...complete.metadata, managedFields };
  return putObject(c, r, { ...complete, metadata: owned }, o.dryRun);
}
