/** CustomResourceDefinitions: each registers its kinds at once and gets the conditions that clients wait for. */

import { invalidValue, required, type StatusCause, unsupportedValue } from "./api-error.ts";
import { type Fields, isFields, jsonEqual, timestamp } from "./fields.ts";
import type { Registry } from "./registry.ts";
import type { PrinterColumn, ResourceType, Subresource } from "./resources.ts";
import { schemaFaults } from "./schema-shape.ts";
import type { Storage } from "./storage.ts";
import type { KubeObject, ObjectClient } from "./types.ts";

/** Where the definitions lie. */
const CRD_STORAGE = "apiextensions.k8s.io/customresourcedefinitions";

/** Everything that is wrong with a definition, beside what a schema says. */
export function validateDefinition(object: KubeObject): StatusCause[] {
  const spec: Fields = object["spec"] ?? {};
  const out: StatusCause[] = [];
  const names: Fields = spec["names"] ?? {};
  for (const key of ["group", "scope", "versions", "names"])
    if (spec[key] === undefined) out.push(required(`spec.${key}`));
  for (const key of ["plural", "kind"]) if (!names[key]) out.push(required(`spec.names.${key}`));
  if (spec["scope"] !== undefined && !["Namespaced", "Cluster"].includes(spec["scope"]))
    out.push(unsupportedValue("spec.scope", spec["scope"], ["Cluster", "Namespaced"]));
  const wanted = `${names["plural"]}.${spec["group"]}`;
  if (object.metadata.name !== wanted)
    out.push(invalidValue("metadata.name", object.metadata.name, `must be spec.names.plural+"."+spec.group`));
  const versions: readonly Fields[] = Array.isArray(spec["versions"]) ? spec["versions"] : [];
  if (versions.filter((v) => v["storage"] === true).length !== 1)
    out.push(invalidValue("spec.versions", versions.length, "must have exactly one version marked as storage version"));
  for (const [i, v] of versions.entries()) {
    const at = `spec.versions[${i}]`;
    const schema: unknown = v["schema"]?.openAPIV3Schema;
    if (!v["name"]) out.push(required(`${at}.name`));
    if (schema === undefined) out.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    else out.push(...schemaFaults(schema, `${at}.schema.openAPIV3Schema`));
  }
  return out;
}

/** A definition with the names that follow from others. */
export function defaultDefinition(object: KubeObject): KubeObject {
  const names: Fields = object["spec"]?.names ?? {};
  const kind = String(names["kind"] ?? "");
  const complete = {
    ...names,
    singular: names["singular"] ?? kind.toLowerCase(),
    listKind: names["listKind"] ?? `${kind}List`,
  };
  return { ...object, spec: { conversion: { strategy: "None" }, ...object["spec"], names: complete } };
}

function columnsOf(version: Fields): PrinterColumn[] {
  const given: readonly PrinterColumn[] = version["additionalPrinterColumns"] ?? [];
  return given.length > 0 ? [...given] : [{ name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" }];
}

function typeOf(spec: Fields, version: Fields): ResourceType {
  const names: Fields = spec["names"];
  const sub: Fields = version["subresources"] ?? {};
  const subresources = new Set<Subresource>();
  if (sub["status"] !== undefined) subresources.add("status");
  if (sub["scale"] !== undefined) subresources.add("scale");
  return {
    group: spec["group"],
    version: version["name"],
    kind: names["kind"],
    plural: names["plural"],
    singular: names["singular"],
    listKind: names["listKind"],
    shortNames: names["shortNames"] ?? [],
    categories: names["categories"] ?? [],
    isNamespaced: spec["scope"] === "Namespaced",
    subresources,
    storage: `${spec["group"]}/${names["plural"]}`,
    custom: {
      schema: spec["preserveUnknownFields"] === true ? undefined : version["schema"]?.openAPIV3Schema,
      columns: columnsOf(version),
      scale: isFields(sub["scale"])
        ? {
            specReplicas: sub["scale"]["specReplicasPath"],
            statusReplicas: sub["scale"]["statusReplicasPath"],
            selector: sub["scale"]["labelSelectorPath"],
          }
        : undefined,
    },
  };
}

/** Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, others by name. */
export function compareVersions(a: string, b: string): number {
  const parse = (v: string) => /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(v);
  const [x, y] = [parse(a), parse(b)];
  if (x === null || y === null) return x !== null ? -1 : y !== null ? 1 : a < b ? -1 : 1;
  const stage = (m: RegExpExecArray) => (m[2] === undefined ? 2 : m[2] === "beta" ? 1 : 0);
  return stage(y) - stage(x) || Number(y[1]) - Number(x[1]) || Number(y[3] ?? 0) - Number(x[3] ?? 0);
}

/** The kinds that a definition serves, the preferred version first. */
function typesOf(object: KubeObject): ResourceType[] {
  const versions: readonly Fields[] = object["spec"].versions ?? [];
  return versions
    .filter((v) => v["served"] === true)
    .toSorted((a, b) => compareVersions(a["name"], b["name"]))
    .map((v) => typeOf(object["spec"], v));
}

/** Follows the definitions; registration is done in the call that stores one. @returns stops it */
export function startCustomResources(storage: Storage, registry: Registry, objects: ObjectClient): () => void {
  return storage.listen(CRD_STORAGE, ({ type, object }) => {
    const name = object.metadata.name;
    if (type === "DELETED") {
      const kind = registry.byStorage(`${object["spec"].group}/${object["spec"].names.plural}`)?.storage;
      registry.setCustom(name, []);
      if (kind !== undefined) for (const key of [...storage.table(kind).keys()]) storage.remove(kind, key);
      return;
    }
    registry.setCustom(name, typesOf(object));
    const spec: Fields = object["spec"];
    const at = timestamp(Date.now());
    const condition = (t: string, reason: string, message: string) => ({
      type: t,
      status: "True",
      reason,
      message,
      lastTransitionTime: at,
    });
    const status = {
      acceptedNames: spec["names"],
      storedVersions: spec["versions"].filter((v: Fields) => v["storage"]).map((v: Fields) => v["name"]),
      conditions: [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
      ],
    };
    const before: Fields = object["status"] ?? {};
    const isDone =
      jsonEqual(before["acceptedNames"], status.acceptedNames) &&
      jsonEqual(before["storedVersions"], status.storedVersions);
    const ref = { apiVersion: object.apiVersion, kind: object.kind, name };
    if (!isDone) setImmediate(() => void (objects.get(ref) !== undefined && objects.patch(ref, { status }, "status")));
  });
}
