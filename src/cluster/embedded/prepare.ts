/** What every object goes through before it is stored: completion, and refusal with all causes. */

import { ApiError, badRequest, invalid } from "./api-error.ts";
import { defaultObject } from "./defaults.ts";
import { type Fields, isFields } from "./fields.ts";
import { unknownFields } from "./known-fields.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";
import { applyDefaults, prune, validateSchema } from "./schema.ts";
import { adaptService } from "./service-change.ts";
import type { ServiceAllocator } from "./service-ips.ts";
import { shapeOf } from "./shapes.ts";
import type { KubeObject } from "./types.ts";
import { validateObject } from "./validate.ts";
import { validateMetadata } from "./validate-meta.ts";

/** What happens with fields that a custom resource's schema does not name. */
export type FieldValidation = "Ignore" | "Warn" | "Strict";

/** A Go server drops nulls of built-in kinds when it decodes them. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, v]) => v !== null && v !== undefined);
  return Object.fromEntries(kept.map(([k, v]) => [k, withoutNulls(v)]));
}

const OMITTED = ["annotations", "finalizers", "labels", "ownerReferences"];

/** Nor does it say empty lists and maps of the metadata again. */
function withoutEmpty(metadata: Fields): Fields {
  const isEmpty = (v: unknown) => (Array.isArray(v) && v.length === 0) || (isFields(v) && Object.keys(v).length === 0);
  const kept = Object.entries(metadata).filter(([k, v]) => !OMITTED.includes(k) || !isEmpty(v));
  return Object.fromEntries(kept);
}

function text(value: unknown, otherwise: string): string {
  if (value === undefined || value === null) return otherwise;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Refuses fields of a wrong type, as a decoder does. @throws ApiError 400 */
function checkShape(r: ResourceType, object: unknown): void {
  const [first] = validateSchema(object, shapeOf(r.storage, r.custom !== undefined));
  if (first === undefined) return;
  throw badRequest(
    `${r.kind} in version "${r.version}" cannot be handled as a ${r.kind}: ${first.field}: ${first.message}`,
  );
}

/** Checks that a body is an object of the kind that the path names, with fields of the right types. @throws ApiError 400 */
export function decodeObject(r: ResourceType, body: unknown, namespace: string | undefined): KubeObject {
  if (!isFields(body)) throw badRequest("the body of the request must be a JSON object");
  const [apiVersion, kind] = [text(body["apiVersion"], apiVersionOf(r)), text(body["kind"], r.kind)];
  if (apiVersion !== apiVersionOf(r))
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(r)})`,
    );
  if (kind !== r.kind)
    throw badRequest(
      `${r.kind} in version "${r.version}" cannot be handled as a ${r.kind}: the kind in the data is "${kind}"`,
    );
  const metadata = body["metadata"] ?? {};
  if (!isFields(metadata)) throw badRequest("metadata must be an object");
  if (namespace !== undefined && (metadata["namespace"] ?? namespace) !== namespace)
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${metadata["namespace"]} and ${namespace})`,
    );
  const own: Fields = { ...withoutEmpty(withoutNulls(metadata) as Fields), namespace };
  const { namespace: ns, ...rest } = own;
  const complete = { ...body, apiVersion, kind, metadata: ns === undefined ? rest : { ...rest, namespace: ns } };
  const decoded = r.custom === undefined ? withoutNulls(complete) : complete;
  checkShape(r, decoded);
  return decoded as KubeObject;
}

/** Completes an object and checks it. @throws ApiError 400 for unknown fields under `Strict`, 422 with every cause */
export function prepareObject(
  r: ResourceType,
  object: KubeObject,
  old: KubeObject | undefined,
  options: {
    readonly services: ServiceAllocator;
    readonly fieldValidation: FieldValidation;
    readonly warn: (text: string) => void;
  },
): KubeObject {
  // Of built-in kinds the names are a help for the writer, no rule: see known-fields.ts.
  if (r.custom === undefined && options.fieldValidation !== "Ignore")
    for (const path of unknownFields(r.storage, object)) options.warn(`unknown field "${path}"`);
  const sent = defaultObject(r, object);
  let out = r.storage === "/services" ? adaptService(sent, old) : sent;
  const schema = r.custom?.schema;
  if (schema !== undefined) {
    const unknown: string[] = [];
    out = prune(out, schema, unknown) as KubeObject;
    const texts = unknown.map((p) => `unknown field "${p}"`);
    if (options.fieldValidation === "Strict" && texts.length > 0)
      throw new ApiError(
        400,
        "BadRequest",
        `${r.kind} in version "${r.version}" cannot be handled as a ${r.kind}: strict decoding error: ${texts.join(", ")}`,
      );
    if (options.fieldValidation === "Warn") for (const t of texts) options.warn(t);
    out = applyDefaults(out, schema) as KubeObject;
  }
  const causes = [
    ...validateMetadata(r, out.metadata as unknown as Fields),
    ...(schema === undefined ? [] : validateSchema(out, schema)),
    ...validateObject(r, out, old),
    ...(r.storage === "/services" ? options.services.check(out, old) : []),
  ];
  if (causes.length > 0) throw invalid(r, out.metadata.name ?? "", causes);
  return r.storage === "/services" ? options.services.allocate(out, old) : out;
}
