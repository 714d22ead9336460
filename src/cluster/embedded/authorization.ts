/** Who may do what: role-based access control over the stored Roles and bindings (rbac.authorization.k8s.io/v1). */

import type { User } from "./authentication.ts";
import type { Fields } from "./fields.ts";
import type { ResourcePath } from "./http-request.ts";
import { objectKey, type Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

/** What somebody wants to do. */
export type Attributes =
  | {
      readonly kind: "resource";
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string | undefined;
      readonly name: string;
    }
  | { readonly kind: "path"; readonly verb: string; readonly path: string };

const RBAC = "rbac.authorization.k8s.io";
/** Members may do everything, as in a real server: without it nobody could write the first role. */
const MASTERS = "system:masters";
/** What every known user may read: without it no client finds out what there is. */
const OPEN_PATHS = /^\/($|api(\/|$)|apis(\/|$)|openapi(\/|$)|version|healthz|livez|readyz)/;
/** Questions about oneself are answered to everybody. */
const OPEN_REVIEWS = new Set(["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]);

/** What a path to a resource is about. A namespace is its own namespace, as in a real server. */
export function attributesOf(path: ResourcePath, verb: string): Attributes {
  const { group, plural: resource, subresource = "", name = "" } = path;
  const isNamespace = group === "" && resource === "namespaces" && name !== "";
  const namespace = path.namespace ?? (isNamespace ? name : undefined);
  return { kind: "resource", verb, group, resource, subresource, namespace, name };
}

/** The verb of a request to a resource. */
export function verbOf(method: string, path: Pick<ResourcePath, "name">, isWatch: boolean): string {
  switch (method) {
    case "GET":
      return isWatch ? "watch" : path.name === undefined ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return path.name === undefined ? "deletecollection" : "delete";
    default:
      return method.toLowerCase();
  }
}

function has(list: unknown, ...wanted: readonly string[]): boolean {
  return Array.isArray(list) && list.some((x) => x === "*" || wanted.includes(x));
}

function ruleAllows(rule: Fields, a: Attributes): boolean {
  if (!has(rule["verbs"], a.verb)) return false;
  if (a.kind === "path") {
    const urls: readonly string[] = Array.isArray(rule["nonResourceURLs"]) ? rule["nonResourceURLs"] : [];
    return urls.some((u) => u === a.path || (u.endsWith("*") && a.path.startsWith(u.slice(0, -1))));
  }
  const names: readonly string[] = rule["resourceNames"] ?? [];
  const resource = a.subresource === "" ? [a.resource] : [`${a.resource}/${a.subresource}`, `*/${a.subresource}`];
  return (
    has(rule["apiGroups"], a.group) &&
    has(rule["resources"], ...resource) &&
    (names.length === 0 || names.includes(a.name))
  );
}

function isSubject(subject: Fields, user: User, namespace: string | undefined): boolean {
  switch (subject["kind"]) {
    case "User":
      return subject["name"] === user.name;
    case "Group":
      return user.groups.includes(subject["name"]);
    case "ServiceAccount":
      return user.name === `system:serviceaccount:${subject["namespace"] ?? namespace}:${subject["name"]}`;
    default:
      return false;
  }
}

/** The rules that a binding gives a user; none when it is not about them. */
function boundRules(storage: Storage, binding: KubeObject, user: User): readonly Fields[] {
  const { namespace } = binding.metadata;
  const subjects: readonly Fields[] = binding["subjects"] ?? [];
  if (!subjects.some((s) => isSubject(s, user, namespace))) return [];
  const { kind, name } = (binding["roleRef"] ?? {}) as Fields;
  const isRole = kind === "Role";
  const rules: unknown = storage.get(
    `${RBAC}/${isRole ? "roles" : "clusterroles"}`,
    objectKey(isRole ? namespace : undefined, name),
  )?.["rules"];
  return Array.isArray(rules) ? rules : [];
}

function* allRules(storage: Storage, user: User, namespace: string | undefined): Generator<Fields> {
  for (const b of storage.table(`${RBAC}/clusterrolebindings`)) yield* boundRules(storage, b, user);
  if (namespace === undefined) return;
  for (const b of storage.table(`${RBAC}/rolebindings`))
    if (b.metadata.namespace === namespace) yield* boundRules(storage, b, user);
}

/** Whether a user may do something. */
export function isAllowed(storage: Storage, user: User, a: Attributes): boolean {
  if (user.groups.includes(MASTERS)) return true;
  if (a.kind === "path" && a.verb === "get" && OPEN_PATHS.test(a.path)) return true;
  if (a.kind === "resource" && a.verb === "create" && OPEN_REVIEWS.has(a.resource)) return true;
  for (const rule of allRules(storage, user, a.kind === "path" ? undefined : a.namespace))
    if (ruleAllows(rule, a)) return true;
  return false;
}

/** Everything that a user may do in a namespace, in the shape of a `SelfSubjectRulesReview`'s status. */
export function rulesOf(storage: Storage, user: User, namespace: string): Fields {
  const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
  const anywhere = { verbs: ["*"], nonResourceURLs: ["*"] };
  if (user.groups.includes(MASTERS)) return { resourceRules: [everything], nonResourceRules: [anywhere] };
  const rules = [...allRules(storage, user, namespace)];
  return {
    resourceRules: rules.filter((r) => r["resources"] !== undefined),
    nonResourceRules: rules.filter((r) => r["nonResourceURLs"] !== undefined),
  };
}

/** The sentence of a refusal. */
export function describeRefusal(user: User, a: Attributes): string {
  if (a.kind === "path") return `User "${user.name}" cannot ${a.verb} path "${a.path}"`;
  const resource = a.subresource === "" ? a.resource : `${a.resource}/${a.subresource}`;
  const where = a.namespace === undefined ? "at the cluster scope" : `in the namespace "${a.namespace}"`;
  return `User "${user.name}" cannot ${a.verb} resource "${resource}" in API group "${a.group}" ${where}`;
}
