/** Discovery: which groups, versions and kinds there are, in the old form and in the aggregated one. */

import type { Registry } from "./registry.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";

/** Version that the server claims: what kubectl compares itself with. */
export const SERVER_VERSION = {
  major: "1",
  minor: "32",
  gitVersion: "v1.32.0-twill",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const SUBRESOURCE_VERBS: Readonly<
  Record<
    string,
    { readonly verbs: readonly string[]; readonly kind?: string; readonly group?: string; readonly version?: string }
  >
> = {
  status: { verbs: ["get", "patch", "update"] },
  finalize: { verbs: ["update"] },
  approval: { verbs: ["get", "patch", "update"] },
  scale: { verbs: ["get", "patch", "update"], kind: "Scale", group: "autoscaling", version: "v1" },
  log: { verbs: ["get"] },
  exec: { verbs: ["create", "get"], kind: "PodExecOptions" },
  attach: { verbs: ["create", "get"], kind: "PodAttachOptions" },
  binding: { verbs: ["create"], kind: "Binding" },
  eviction: { verbs: ["create"], kind: "Eviction", group: "policy", version: "v1" },
  token: { verbs: ["create"], kind: "TokenRequest", group: "authentication.k8s.io", version: "v1" },
};

/** Groups that only take questions (`SelfSubjectAccessReview`, …): served apart from the registry, see `reviews.ts`. */
const REVIEWS: readonly {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced?: boolean;
}[] = [
  { group: "authentication.k8s.io", plural: "tokenreviews", kind: "TokenReview" },
  { group: "authentication.k8s.io", plural: "selfsubjectreviews", kind: "SelfSubjectReview" },
  {
    group: "authorization.k8s.io",
    plural: "localsubjectaccessreviews",
    kind: "LocalSubjectAccessReview",
    isNamespaced: true,
  },
  { group: "authorization.k8s.io", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview" },
  { group: "authorization.k8s.io", plural: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview" },
  { group: "authorization.k8s.io", plural: "subjectaccessreviews", kind: "SubjectAccessReview" },
];

interface GroupVersions {
  readonly group: string;
  readonly versions: readonly string[];
}

function groupsOf(registry: Registry): GroupVersions[] {
  const own = [...registry.groups()].filter(([g]) => g !== "").map(([group, versions]) => ({ group, versions }));
  const reviews = [...new Set(REVIEWS.map((r) => r.group))].map((group) => ({ group, versions: ["v1"] }));
  return [...own, ...reviews];
}

function groupInfo({ group, versions }: GroupVersions) {
  const list = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

/** `/api`. */
export function apiVersions() {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** `/apis`. */
export function apiGroupList(registry: Registry) {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(registry).map(groupInfo) };
}

/** `/apis/GROUP`; undefined when there is no such group. */
export function apiGroup(registry: Registry, group: string) {
  const found = groupsOf(registry).find((g) => g.group === group);
  return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...groupInfo(found) };
}

function listEntries(r: ResourceType): object[] {
  const main = {
    name: r.plural,
    singularName: r.singular,
    namespaced: r.isNamespaced,
    kind: r.kind,
    verbs: VERBS,
    ...(r.shortNames.length === 0 ? {} : { shortNames: r.shortNames }),
    ...(r.categories.length === 0 ? {} : { categories: r.categories }),
  };
  const subs = [...r.subresources].map((s) => {
    const { verbs, kind, group, version } = SUBRESOURCE_VERBS[s] ?? { verbs: [] };
    const of = group === undefined ? {} : { group, version };
    return {
      name: `${r.plural}/${s}`,
      singularName: "",
      namespaced: r.isNamespaced,
      ...of,
      kind: kind ?? r.kind,
      verbs,
    };
  });
  return [main, ...subs];
}

/** `/api/v1` and `/apis/GROUP/VERSION`; undefined when there is no such version. */
export function apiResourceList(registry: Registry, group: string, version: string) {
  const types = registry.all().filter((r) => r.group === group && r.version === version);
  const reviews = version === "v1" ? REVIEWS.filter((r) => r.group === group) : [];
  if (types.length === 0 && reviews.length === 0) return undefined;
  const questions = reviews.map((r) => ({
    name: r.plural,
    singularName: r.kind.toLowerCase(),
    namespaced: r.isNamespaced === true,
    kind: r.kind,
    verbs: ["create"],
  }));
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf({ group, version }),
    resources: [...types.flatMap(listEntries), ...questions],
  };
}

function aggregatedResource(r: ResourceType) {
  const kind = { group: r.group, version: r.version, kind: r.kind };
  const subs = [...r.subresources].map((s) => {
    const sub = SUBRESOURCE_VERBS[s] ?? { verbs: [] };
    const responseKind = { group: sub.group ?? r.group, version: sub.version ?? r.version, kind: sub.kind ?? r.kind };
    return { subresource: s, responseKind, verbs: sub.verbs };
  });
  return {
    resource: r.plural,
    responseKind: kind,
    scope: r.isNamespaced ? "Namespaced" : "Cluster",
    singularResource: r.singular,
    verbs: VERBS,
    ...(r.shortNames.length === 0 ? {} : { shortNames: r.shortNames }),
    ...(r.categories.length === 0 ? {} : { categories: r.categories }),
    ...(subs.length === 0 ? {} : { subresources: subs }),
  };
}

function aggregatedGroup(registry: Registry, { group, versions }: GroupVersions) {
  const reviews = REVIEWS.filter((r) => r.group === group).map((r) => ({
    resource: r.plural,
    responseKind: { group, version: "v1", kind: r.kind },
    scope: r.isNamespaced === true ? "Namespaced" : "Cluster",
    singularResource: r.kind.toLowerCase(),
    verbs: ["create"],
  }));
  return {
    metadata: { ...(group === "" ? {} : { name: group }), creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      resources: [
        ...registry
          .all()
          .filter((r) => r.group === group && r.version === version)
          .map(aggregatedResource),
        ...reviews,
      ],
      freshness: "Current",
    })),
  };
}

/** `/api` or `/apis` for clients that accept `as=APIGroupDiscoveryList`. */
export function aggregatedDiscovery(registry: Registry, isCore: boolean, version: string) {
  const groups = isCore ? [{ group: "", versions: ["v1"] }] : groupsOf(registry);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((g) => aggregatedGroup(registry, g)),
  };
}

/** The version of the aggregated form that an `Accept` header asks for first; undefined: the old form. */
export function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const range of (accept ?? "").split(",")) {
    const m = /application\/json;\s*g=apidiscovery\.k8s\.io;\s*v=(v2|v2beta1);\s*as=APIGroupDiscoveryList/.exec(range);
    if (m !== null) return m[1];
    if (range.trim() === "application/json") return undefined;
  }
  return undefined;
}
