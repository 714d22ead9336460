/**
 * As much OpenAPI as kubectl needs: v3 says which query parameters a kind's patch takes (`fieldValidation`, `dryRun`)
 * and shows the schemas of custom resources; v2 is empty, which makes kubectl use its own knowledge.
 */

import { createHash } from "node:crypto";
import type { Registry } from "./registry.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";

/**
 * Media type of the binary v2 document; its empty document is no bytes at all. Clients ask for the spelling with `@` too,
 * but refuse it in an answer: it is no valid media type.
 */
export const OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** `/openapi/v2` as JSON. */
export function openApiV2() {
  return { swagger: "2.0", info: { title: "Twill embedded Kubernetes API", version: "v1.32.0" }, paths: {} };
}

function pathOf(groupVersion: string): string {
  return groupVersion.includes("/") ? `apis/${groupVersion}` : `api/${groupVersion}`;
}

/** `/openapi/v3`: one document for each group and version. */
export function openApiV3Index(registry: Registry) {
  const versions = [...new Set(registry.all().map(apiVersionOf))];
  const paths = versions.map((gv) => {
    const path = pathOf(gv);
    const hash = createHash("sha256")
      .update(JSON.stringify(openApiV3(registry, path)))
      .digest("hex")
      .slice(0, 32);
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(paths) };
}

const PARAMETERS = ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({
  name,
  in: "query",
  schema: { type: "string", uniqueItems: true },
}));

function schemaName(r: ResourceType): string {
  const group = r.group === "" ? "core" : r.group;
  return `io.twill.${group.split(".").reverse().join(".")}.${r.version}.${r.kind}`;
}

function kindOf(r: ResourceType) {
  return { group: r.group, version: r.version, kind: r.kind };
}

function pathItems(r: ResourceType, root: string): [string, object][] {
  const base = r.isNamespaced ? `/${root}/namespaces/{namespace}/${r.plural}` : `/${root}/${r.plural}`;
  const responses = { 200: { description: "OK" } };
  const operation = (action: string) => ({
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": kindOf(r),
    parameters: PARAMETERS,
    responses,
  });
  const one = { get: operation("get"), put: operation("put"), patch: operation("patch"), delete: operation("delete") };
  return [
    [base, { get: operation("list"), post: operation("post") }],
    [`${base}/{name}`, one],
  ];
}

/** The document of one group and version (`api/v1`, `apis/apps/v1`); undefined when there is none. */
export function openApiV3(registry: Registry, path: string) {
  const types = registry.all().filter((r) => pathOf(apiVersionOf(r)) === path);
  if (types.length === 0) return undefined;
  const schemas = types.map((r) => {
    const schema = r.custom?.schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    return [schemaName(r), { ...schema, "x-kubernetes-group-version-kind": [kindOf(r)] }];
  });
  return {
    openapi: "3.0.0",
    info: { title: "Twill embedded Kubernetes API", version: "v1.32.0" },
    paths: Object.fromEntries(types.flatMap((r) => pathItems(r, path))),
    components: { schemas: Object.fromEntries(schemas) },
  };
}
