/** Calico's objects beside policies, validated: tiers, sets of networks, host endpoints, staged Kubernetes policies. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type Addr, parseAddr } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Interner, Labels } from "../intern.ts";
import { readStagedAction, type StagedAction } from "./calico-policy.ts";
import { CALICO_API_VERSIONS, readNets, readOrder, readProtocol } from "./calico-read.ts";
import { type NetworkPolicy, parseNetworkPolicy } from "./network-policy.ts";
import { choice, onlyFields, type PolicyHead, quoted, readPolicyHead } from "./strict.ts";

/** A tier. */
export interface CalicoTier {
  readonly name: string;
  /** undefined: behind all that have one. */
  readonly order: number | undefined;
  readonly defaultAction: "Deny" | "Pass";
}

/** Networks with labels, which selectors of rules select. */
export interface CalicoNetworkSet {
  /** `""` for a GlobalNetworkSet. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly nets: readonly Prefix[];
}

/** The node itself, or one interface of it, as policies select it. */
export interface CalicoHostEndpoint {
  readonly name: string;
  readonly labels: Labels;
  readonly node: string;
  /** `"*"`: all of them; `""`: the one with the expected addresses. */
  readonly interfaceName: string;
  readonly expectedIps: readonly Addr[];
  readonly profiles: readonly string[];
  readonly ports: readonly { readonly name: string; readonly protocol: number; readonly port: number }[];
}

/** A Kubernetes NetworkPolicy that is not in force. */
export interface StagedKubernetesNetworkPolicy {
  readonly policy: NetworkPolicy;
  readonly stagedAction: StagedAction;
}

/** Orders and ends of the tiers that exist by themselves; objects of their names must agree. */
const FIXED_TIERS: ReadonlyMap<string, readonly [number, CalicoTier["defaultAction"]]> = new Map([
  ["default", [1_000_000, "Deny"]],
  ["kube-admin", [1_000, "Pass"]],
  ["kube-baseline", [10_000_000, "Pass"]],
]);

function head(value: unknown, kind: string, isNamespaced: boolean, issues: Issue[]): PolicyHead {
  return readPolicyHead(value, { kind, apiVersions: CALICO_API_VERSIONS, isNamespaced }, issues);
}

/** Reads a Tier. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseCalicoTier(value: unknown, _interner: Interner): Result<CalicoTier, readonly Issue[]> {
  const issues: Issue[] = [];
  const { name, spec } = head(value, "Tier", false, issues);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "order", "defaultAction");
  const fixed = FIXED_TIERS.get(name);
  const order = readOrder(spec);
  const defaultAction = choice(spec, "defaultAction", ["Deny", "Pass"] as const);
  if (fixed !== undefined && order !== undefined && order !== fixed[0])
    spec.issue("order", `${order} is not ${fixed[0]}, which the order of tier ${quoted(name)} always is`);
  if (fixed !== undefined && defaultAction !== undefined && defaultAction !== fixed[1])
    spec.issue("defaultAction", `${quoted(defaultAction)} is not ${quoted(fixed[1])}, which tier ${quoted(name)} has`);
  const tier: CalicoTier = {
    name,
    order: order ?? fixed?.[0],
    defaultAction: defaultAction ?? fixed?.[1] ?? "Deny",
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(tier));
}

function parseSet(value: unknown, interner: Interner, kind: string): Result<CalicoNetworkSet, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, namespace, name, spec } = head(value, kind, kind === "NetworkSet", issues);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "nets");
  const labels = (root.object("metadata") ?? root).labels("labels", interner);
  const set = { namespace: interner.string(namespace), name, labels, nets: readNets(spec, "nets", 100_000) };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(set));
}

/** Reads a NetworkSet. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseNetworkSet(value: unknown, interner: Interner): Result<CalicoNetworkSet, readonly Issue[]> {
  return parseSet(value, interner, "NetworkSet");
}

/** Reads a GlobalNetworkSet. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseGlobalNetworkSet(value: unknown, interner: Interner): Result<CalicoNetworkSet, readonly Issue[]> {
  return parseSet(value, interner, "GlobalNetworkSet");
}

/** Reads a HostEndpoint. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseHostEndpoint(value: unknown, interner: Interner): Result<CalicoHostEndpoint, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, name, spec } = head(value, "HostEndpoint", false, issues);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "node", "interfaceName", "expectedIPs", "profiles", "ports");
  const interfaceName = spec.string("interfaceName") ?? "";
  const expectedIps: Addr[] = [];
  for (const [i, text] of spec.strings("expectedIPs").entries()) {
    const addr = parseAddr(text);
    if (addr.ok) expectedIps.push(addr.value);
    else spec.issue(`expectedIPs[${i}]`, addr.error);
  }
  if (interfaceName === "" && spec.strings("expectedIPs").length === 0)
    spec.complain("interfaceName or expectedIPs is required, there is neither");
  const ports = spec.objects("ports").map((p) => {
    onlyFields(p, "name", "protocol", "port");
    for (const key of ["port", "protocol"]) if (!p.has(key)) p.issue(key, "A value is required");
    return {
      name: p.requiredString("name"),
      protocol: readProtocol(p, "protocol") ?? 0,
      port: p.integer("port", 1, 65535) ?? 0,
    };
  });
  const endpoint: CalicoHostEndpoint = {
    name,
    labels: (root.object("metadata") ?? root).labels("labels", interner),
    node: interner.string(spec.requiredString("node")),
    interfaceName,
    expectedIps,
    profiles: spec.strings("profiles"),
    ports,
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(endpoint));
}

/** Reads a StagedKubernetesNetworkPolicy. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseStagedKubernetesNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<StagedKubernetesNetworkPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, spec } = head(value, "StagedKubernetesNetworkPolicy", true, issues);
  if (spec === undefined) return err(issues);
  const stagedAction = readStagedAction(spec);
  // The rest of it is a NetworkPolicy's, without a kind that would not be one.
  const rest = Object.fromEntries(
    spec
      .keys()
      .filter((k) => k !== "stagedAction")
      .map((k) => [k, spec.value(k)]),
  );
  const policy = parseNetworkPolicy({ metadata: root.value("metadata"), spec: rest }, interner);
  if (!policy.ok) {
    // What both readers complain of is said once.
    const known = new Set(issues.map((i) => i.path));
    return err([...issues, ...policy.error.filter((i) => !known.has(i.path))]);
  }
  return issues.length > 0 ? err(issues) : ok(Object.freeze({ policy: policy.value, stagedAction }));
}
