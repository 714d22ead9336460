/** Field selectors: `metadata.name=x,status.phase!=Failed`, for the fields that each kind indexes. */

import { type ApiError, badRequest } from "./api-error.ts";
import type { Matcher } from "./label-selector.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeObject } from "./types.ts";

const EVERYWHERE = ["metadata.name", "metadata.namespace"];

const EVENT_FIELDS = [
  "involvedObject.kind",
  "involvedObject.namespace",
  "involvedObject.name",
  "involvedObject.uid",
  "involvedObject.apiVersion",
  "involvedObject.resourceVersion",
  "involvedObject.fieldPath",
  "reason",
  "reportingComponent",
  "source",
  "type",
];

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "/pods": [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  "/nodes": ["spec.unschedulable"],
  "/namespaces": ["status.phase"],
  "/secrets": ["type"],
  "/services": ["spec.clusterIP", "spec.type"],
  "/events": EVENT_FIELDS,
  "apps/replicasets": ["status.replicas"],
  "batch/jobs": ["status.successful"],
};

function read(object: KubeObject, path: string): string {
  let value: unknown = object;
  // `source` is a selector's name for a nested field.
  for (const step of (path === "source" ? "source.component" : path).split("."))
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[step] : undefined;
  if (value === undefined || value === null)
    return path === "spec.hostNetwork" || path === "spec.unschedulable" ? "false" : "";
  return String(value);
}

/** A real server words it by whether a kind has fields of its own. */
function unsupported(r: ResourceType, path: string): ApiError {
  if (FIELDS[r.storage] !== undefined) return badRequest(`field label not supported: ${path}`);
  const known = EVERYWHERE.map((f) => JSON.stringify(f)).join(", ");
  return badRequest(`${JSON.stringify(path)} is not a known field selector: only ${known}`);
}

/** The matcher of a field selector; an empty one matches everything. @throws ApiError 400 */
export function parseFieldSelector(r: ResourceType, text: string): Matcher {
  const allowed = [...EVERYWHERE, ...(FIELDS[r.storage] ?? [])];
  const terms = text
    .split(",")
    .filter((t) => t.trim() !== "")
    .map((term) => {
      const m = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
      if (m === null) throw badRequest(`invalid field selector: ${JSON.stringify(term)}`);
      const path = (m[1] ?? "").trim();
      if (!allowed.includes(path)) throw unsupported(r, path);
      const wanted = m[3] ?? "";
      return m[2] === "!=" ? (o: KubeObject) => read(o, path) !== wanted : (o: KubeObject) => read(o, path) === wanted;
    });
  return (object) => terms.every((t) => t(object));
}
