/** Tables of what a cluster has besides nodes, pods and workloads. */

import type { Fields } from "./fields.ts";
import { AGE, type Columns, labelText, NAME, number, orNone, selectorText, since, text } from "./table-cells.ts";
import type { KubeObject } from "./types.ts";

function externalIps(o: KubeObject): string {
  const ingress: readonly Fields[] = o["status"]?.loadBalancer?.ingress ?? [];
  const balancer = ingress.map((i) => i["ip"] ?? i["hostname"]);
  const all = [...balancer, ...(o["spec"]?.externalIPs ?? [])];
  if (o["spec"]?.type === "ExternalName") return orNone(o["spec"].externalName);
  if (all.length > 0) return all.join(",");
  return o["spec"]?.type === "LoadBalancer" ? "<pending>" : "<none>";
}

function servicePorts(o: KubeObject): string {
  const ports: readonly Fields[] = o["spec"]?.ports ?? [];
  const one = (p: Fields) =>
    p["nodePort"] ? `${p["port"]}:${p["nodePort"]}/${p["protocol"]}` : `${p["port"]}/${p["protocol"]}`;
  return ports.length === 0 ? "<none>" : ports.map(one).join(",");
}

/** The first few addresses and how many more there are. */
function endpointText(addresses: readonly string[]): string {
  if (addresses.length === 0) return "<none>";
  const more = addresses.length - 3;
  return addresses.slice(0, 3).join(",") + (more > 0 ? ` + ${more} more...` : "");
}

function endpoints(o: KubeObject): string {
  const all = (o["subsets"] ?? []).flatMap((s: Fields) =>
    (s["addresses"] ?? []).flatMap((a: Fields) => {
      const ports: readonly Fields[] = s["ports"] ?? [];
      const host = String(a["ip"]).includes(":") ? `[${a["ip"]}]` : a["ip"];
      return ports.length === 0 ? [host] : ports.map((p) => `${host}:${p["port"]}`);
    }),
  );
  return endpointText(all);
}

function rolesOf(o: KubeObject, kind: string): string {
  return (o["subjects"] ?? [])
    .filter((s: Fields) => s["kind"] === kind)
    .map((s: Fields) => (kind === "ServiceAccount" ? `${s["namespace"]}/${s["name"]}` : s["name"]))
    .join(", ");
}

const count = (value: unknown) => Object.keys((value ?? {}) as object).length;

const ROLE: Columns = [NAME, text("Created At", (o) => o.metadata.creationTimestamp)];

const BINDING: Columns = [
  NAME,
  text("Role", (o) => `${o["roleRef"]?.kind}/${o["roleRef"]?.name}`),
  AGE,
  text("Users", (o) => rolesOf(o, "User"), 1),
  text("Groups", (o) => rolesOf(o, "Group"), 1),
  text("ServiceAccounts", (o) => rolesOf(o, "ServiceAccount"), 1),
];

const EVENT: Columns = [
  text("Last Seen", (o) => since(o["lastTimestamp"] ?? o["eventTime"] ?? o.metadata.creationTimestamp)),
  text("Type", (o) => o["type"] ?? ""),
  text("Reason", (o) => o["reason"] ?? ""),
  text("Object", (o) => `${String(o["involvedObject"]?.kind ?? "").toLowerCase()}/${o["involvedObject"]?.name ?? ""}`),
  text("Subobject", (o) => o["involvedObject"]?.fieldPath ?? "", 1),
  text("Source", (o) => o["source"]?.component ?? o["reportingComponent"] ?? "", 1),
  text("Message", (o) => o["message"] ?? ""),
  text("First Seen", (o) => since(o["firstTimestamp"] ?? o["eventTime"] ?? o.metadata.creationTimestamp), 1),
  text("Count", (o) => String(o["count"] ?? 1), 1),
  { ...NAME, priority: 1 },
];

/** Columns by storage. */
export const CLUSTER_COLUMNS: Readonly<Record<string, Columns>> = {
  "/namespaces": [NAME, text("Status", (o) => o["status"]?.phase ?? ""), AGE],
  "/services": [
    NAME,
    text("Type", (o) => o["spec"]?.type ?? ""),
    text("Cluster-IP", (o) => orNone(o["spec"]?.clusterIP)),
    text("External-IP", externalIps),
    text("Port(s)", servicePorts),
    AGE,
    text("Selector", (o) => labelText(o["spec"]?.selector), 1),
  ],
  "/endpoints": [NAME, text("Endpoints", endpoints), AGE],
  "/serviceaccounts": [NAME, number("Secrets", (o) => (o["secrets"] ?? []).length), AGE],
  "/configmaps": [NAME, number("Data", (o) => count(o["data"]) + count(o["binaryData"])), AGE],
  "/secrets": [NAME, text("Type", (o) => o["type"] ?? ""), number("Data", (o) => count(o["data"])), AGE],
  "/events": EVENT,
  "discovery.k8s.io/endpointslices": [
    NAME,
    text("AddressType", (o) => o["addressType"] ?? ""),
    text("Ports", (o) => endpointText((o["ports"] ?? []).map((p: Fields) => String(p["port"])))),
    text("Endpoints", (o) => endpointText((o["endpoints"] ?? []).flatMap((e: Fields) => e["addresses"] ?? []))),
    AGE,
  ],
  "coordination.k8s.io/leases": [NAME, text("Holder", (o) => o["spec"]?.holderIdentity ?? ""), AGE],
  "networking.k8s.io/networkpolicies": [NAME, text("Pod-Selector", (o) => selectorText(o["spec"]?.podSelector)), AGE],
  "rbac.authorization.k8s.io/roles": ROLE,
  "rbac.authorization.k8s.io/clusterroles": ROLE,
  "rbac.authorization.k8s.io/rolebindings": BINDING,
  "rbac.authorization.k8s.io/clusterrolebindings": BINDING,
  "policy/poddisruptionbudgets": [
    NAME,
    text("Min Available", (o) => String(o["spec"]?.minAvailable ?? "N/A")),
    text("Max Unavailable", (o) => String(o["spec"]?.maxUnavailable ?? "N/A")),
    number("Allowed Disruptions", (o) => o["status"]?.disruptionsAllowed),
    AGE,
  ],
  "apiextensions.k8s.io/customresourcedefinitions": [NAME, text("Created At", (o) => o.metadata.creationTimestamp)],
};
