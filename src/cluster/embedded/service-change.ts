/**
 * What a write of a Service means beyond its words: fields that were not sent stay as they were, and those of a type that the
 * service has no longer go, unless the writer has changed them (`patchAllocatedValues`, `dropTypeDependentFields` of a real server).
 */

import type { Family } from "../../net/addr.ts";
import { type Fields, jsonEqual } from "./fields.ts";
import type { KubeObject } from "./types.ts";

/** Whether it has addresses of its own, `None` included. */
export function hasClusterIp(spec: Fields): boolean {
  return spec["type"] !== "ExternalName";
}

/** The family of an address as text. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/** Whether each of its ports has a node port. */
export function hasNodePorts(spec: Fields): boolean {
  const isBalanced = spec["type"] === "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] !== false;
  return spec["type"] === "NodePort" || isBalanced;
}

/** Whether somebody outside of the cluster may ask it. */
export function isAskedFromOutside(spec: Fields): boolean {
  const type = spec["type"];
  return type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && spec["externalIPs"]?.length > 0);
}

/** Whether nodes tell load balancers if they have a backend. */
export function hasHealthCheck(spec: Fields): boolean {
  return spec["type"] === "LoadBalancer" && spec["externalTrafficPolicy"] === "Local";
}

/** Its ports as they stand. */
export function portsOf(spec: Fields): readonly Fields[] {
  return Array.isArray(spec["ports"]) ? spec["ports"] : [];
}

const nodePorts = (spec: Fields) => portsOf(spec).map((p) => p["nodePort"] ?? 0);
const isBalancer = (spec: Fields) => spec["type"] === "LoadBalancer";

/** Fields that hang together with a type: whether a specification has use for them. */
const DEPENDENT: readonly { readonly fields: readonly string[]; readonly isUsed: (spec: Fields) => boolean }[] = [
  { fields: ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"], isUsed: hasClusterIp },
  { fields: ["healthCheckNodePort"], isUsed: hasHealthCheck },
  { fields: ["allocateLoadBalancerNodePorts", "loadBalancerClass"], isUsed: isBalancer },
  { fields: ["externalTrafficPolicy"], isUsed: isAskedFromOutside },
];

function withoutUnused(spec: Fields, old: Fields): Fields {
  const gone = DEPENDENT.filter((d) => d.isUsed(old) && !d.isUsed(spec))
    .flatMap((d) => d.fields)
    .filter((f) => jsonEqual(spec[f], old[f]));
  const kept: Fields = Object.fromEntries(Object.entries(spec).filter(([key]) => !gone.includes(key)));
  if (!hasNodePorts(old) || hasNodePorts(spec) || !jsonEqual(nodePorts(old), nodePorts(spec))) return kept;
  return { ...kept, ports: portsOf(spec).map(({ nodePort: _, ...rest }) => rest) };
}

/** Addresses that were not sent; what follows from one sent field follows it. */
function addressesFrom(spec: Fields, old: Fields): Fields {
  const { clusterIP, clusterIPs } = spec;
  if (clusterIP === undefined && clusterIPs === undefined)
    return { clusterIP: old["clusterIP"], clusterIPs: old["clusterIPs"] };
  if (clusterIP === old["clusterIP"]) return { clusterIPs: clusterIPs ?? old["clusterIPs"] };
  return jsonEqual(clusterIPs, old["clusterIPs"]) ? { clusterIPs: [clusterIP, ...(clusterIPs ?? []).slice(1)] } : {};
}

/** Addresses and families that were not sent are those of before. Who goes back to one family need not say which addresses go. */
function withAddressesOf(spec: Fields, old: Fields): Fields {
  const { ipFamilies = old["ipFamilies"], ...rest } = spec;
  const isSame = jsonEqual(ipFamilies, old["ipFamilies"]);
  const ipFamilyPolicy = spec["ipFamilyPolicy"] ?? (isSame ? old["ipFamilyPolicy"] : undefined);
  const merged: Fields = { ...rest, ...addressesFrom(spec, old), ipFamilies, ipFamilyPolicy };
  if (ipFamilyPolicy !== "SingleStack" || !isSame || !jsonEqual(merged["clusterIPs"], old["clusterIPs"])) return merged;
  return { ...merged, clusterIPs: merged["clusterIPs"]?.slice(0, 1), ipFamilies: ipFamilies?.slice(0, 1) };
}

/** Empty texts and lists are none. */
function withoutEmpty(spec: Fields): Fields {
  const isNone = (v: unknown) => v === undefined || v === "" || (Array.isArray(v) && v.length === 0);
  const given = (key: string, value: unknown) =>
    !["clusterIP", "clusterIPs", "ipFamilies"].includes(key) || !isNone(value);
  return Object.fromEntries(Object.entries(spec).filter(([key, value]) => value !== undefined && given(key, value)));
}

function withBothAddresses(spec: Fields): Fields {
  const { clusterIP = spec["clusterIPs"]?.[0], clusterIPs = clusterIP === undefined ? undefined : [clusterIP] } = spec;
  return { ...spec, clusterIP, clusterIPs };
}

function adaptSpec(sent: Fields, old: Fields | undefined): Fields {
  const bare = withoutEmpty(sent);
  if (old === undefined) return hasClusterIp(bare) ? withBothAddresses(bare) : bare;
  const spec = withoutUnused(bare, old);
  const complete = hasClusterIp(spec) && hasClusterIp(old) ? withAddressesOf(spec, old) : spec;
  const kept = hasClusterIp(spec) ? withBothAddresses(complete) : complete;
  if (!hasHealthCheck(old) || !hasHealthCheck(kept)) return kept;
  return { ...kept, healthCheckNodePort: kept["healthCheckNodePort"] || old["healthCheckNodePort"] };
}

/** See the file's comment. */
export function adaptService(object: KubeObject, before: KubeObject | undefined): KubeObject {
  return { ...object, spec: withoutEmpty(adaptSpec(object["spec"] ?? {}, before?.["spec"])) };
}
