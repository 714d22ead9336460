/** Names, labels and annotations (Kubernetes "Object Names and IDs", "Labels and Selectors"). */

import { invalidValue, required, type StatusCause } from "./api-error.ts";
import { type Fields, isFields } from "./fields.ts";
import { isLabelKey, isLabelValue } from "./label-selector.ts";
import type { ResourceType } from "./resources.ts";
import { DNS_LABEL, SUBDOMAIN } from "./words.ts";

const SERVICE = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Total size of the annotations of one object. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

function checkName(r: ResourceType, name: string): StatusCause[] {
  const field = "metadata.name";
  if (name === "") return [required(field, "name or generateName is required")];
  // Names of RBAC objects may be almost anything that can stand in a path.
  if (r.group === "rbac.authorization.k8s.io")
    return /[/%]/.test(name) || name === "." || name === ".."
      ? [invalidValue(field, name, "may not contain '/' or '%'")]
      : [];
  if (r.storage === "/namespaces") return DNS_LABEL.test(name) ? [] : [invalidValue(field, name, LABEL_RULE)];
  if (r.storage === "/services")
    return SERVICE.test(name) ? [] : [invalidValue(field, name, "a DNS-1035 label must start with a lowercase letter")];
  return name.length <= 253 && SUBDOMAIN.test(name) ? [] : [invalidValue(field, name, SUBDOMAIN_RULE)];
}

function checkStrings(value: unknown, field: string): StatusCause[] {
  if (value === undefined || value === null) return [];
  if (!isFields(value)) return [invalidValue(field, value, "must be an object of strings")];
  return Object.entries(value)
    .filter(([, v]) => typeof v !== "string")
    .map(([k, v]) => invalidValue(`${field}.${k}`, v, "must be a string"));
}

/** Labels: keys and values. Also for `spec.selector` and templates. */
export function validateLabels(value: unknown, field: string): StatusCause[] {
  const out = checkStrings(value, field);
  if (out.length > 0 || !isFields(value)) return out;
  for (const [k, v] of Object.entries(value)) {
    if (!isLabelKey(k))
      out.push(invalidValue(field, k, "name part must consist of alphanumeric characters, '-', '_' or '.'"));
    if (!isLabelValue(v))
      out.push(
        invalidValue(
          field,
          v,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'",
        ),
      );
  }
  return out;
}

function validateAnnotations(value: unknown): StatusCause[] {
  const field = "metadata.annotations";
  const out = checkStrings(value, field);
  if (out.length > 0 || !isFields(value)) return out;
  let bytes = 0;
  for (const [k, v] of Object.entries(value)) {
    if (!isLabelKey(k.toLowerCase()))
      out.push(invalidValue(field, k, "name part must consist of alphanumeric characters, '-', '_' or '.'"));
    bytes += Buffer.byteLength(k) + Buffer.byteLength(v as string);
  }
  if (bytes > MAX_ANNOTATION_BYTES)
    out.push({
      reason: "FieldValueTooLong",
      field,
      message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
    });
  return out;
}

/** Everything that is wrong with an object's metadata. */
export function validateMetadata(r: ResourceType, metadata: Fields): StatusCause[] {
  const out = [
    ...checkName(r, String(metadata["name"] ?? "")),
    ...validateLabels(metadata["labels"], "metadata.labels"),
    ...validateAnnotations(metadata["annotations"]),
  ];
  const owners = metadata["ownerReferences"];
  if (owners !== undefined && !Array.isArray(owners))
    out.push(invalidValue("metadata.ownerReferences", owners, "must be a list"));
  for (const [i, o] of (Array.isArray(owners) ? owners : []).entries())
    for (const key of ["apiVersion", "kind", "name", "uid"])
      if (!isFields(o) || typeof o[key] !== "string" || o[key] === "")
        out.push(required(`metadata.ownerReferences[${i}].${key}`));
  const finalizers = metadata["finalizers"];
  if (finalizers !== undefined && !(Array.isArray(finalizers) && finalizers.every((f) => typeof f === "string")))
    out.push(invalidValue("metadata.finalizers", finalizers, "must be a list of strings"));
  return out;
}
