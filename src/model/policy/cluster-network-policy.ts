/** ClusterNetworkPolicy (`policy.networking.k8s.io/v1alpha2`, and `v1beta1`, which says the same), validated. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Interner } from "../intern.ts";
import type { PortProtocol } from "../pod.ts";
import type { Reader } from "../read.ts";
import { type ClusterPeer, readClusterPeer, readSubject } from "./cluster-peer.ts";
import type { LabelSelector } from "./label-selector.ts";
import { readPortName } from "./port.ts";
import { boundedObjects, choice, exactlyOne, type KindOf, onlyFields, quoted, readPolicyHead } from "./strict.ts";

/** What a rule does: the first one that matches decides, `pass` goes on with the next tier. */
export type ClusterAction = "accept" | "deny" | "pass";

/** One alternative of a rule's traffic. */
export type ClusterTraffic =
  | { readonly kind: "protocol"; readonly protocol: PortProtocol }
  /** Both ends inclusive. */
  | { readonly kind: "ports"; readonly protocol: PortProtocol; readonly first: number; readonly last: number }
  /** A name of the pod that the traffic goes to; the protocol is the named port's own. */
  | { readonly kind: "named"; readonly name: string };

/** One rule of one direction. */
export interface ClusterRule {
  readonly name: string;
  readonly action: ClusterAction;
  /** Alternatives, at least one. */
  readonly peers: readonly ClusterPeer[];
  /** Empty: all traffic. */
  readonly traffic: readonly ClusterTraffic[];
}

/** Pods (never those in the node's network) that a policy is about. */
export interface ClusterSubject {
  readonly namespaceSelector: LabelSelector;
  /** Absent: every pod of the namespaces. */
  readonly podSelector: LabelSelector | undefined;
}

/** A policy of the cluster, of this kind or of its predecessors. `kind name` is its key. */
export interface ClusterNetworkPolicy {
  readonly kind: "ClusterNetworkPolicy" | "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy";
  readonly name: string;
  /** Counted and logged, not in force. */
  readonly isAudited: boolean;
  readonly tier: "Admin" | "Baseline";
  /** 0 … 1000, lower first. */
  readonly priority: number;
  readonly subject: ClusterSubject;
  readonly ingress: readonly ClusterRule[];
  readonly egress: readonly ClusterRule[];
}

const KIND: KindOf = {
  kind: "ClusterNetworkPolicy",
  apiVersions: ["policy.networking.k8s.io/v1alpha2", "policy.networking.k8s.io/v1beta1"],
  isNamespaced: false,
};
const MAX_RULES = 25;
const PROTOCOLS = { tcp: "TCP", udp: "UDP", sctp: "SCTP" } as const;

function readPortOf(reader: Reader, protocol: PortProtocol): ClusterTraffic | undefined {
  onlyFields(reader, "number", "range");
  const which = exactlyOne(reader, "number", "range");
  if (which === "number") {
    const port = reader.integer("number", 1, 65535);
    return port === undefined ? undefined : { kind: "ports", protocol, first: port, last: port };
  }
  const range = which === "range" ? reader.object("range") : undefined;
  if (range === undefined) return undefined;
  onlyFields(range, "start", "end");
  return readPortRange(range, protocol);
}

/** `start` and `end`, which must be more. */
export function readPortRange(range: Reader, protocol: PortProtocol): ClusterTraffic | undefined {
  for (const key of ["start", "end"]) if (!range.has(key)) range.issue(key, "A value is required");
  const first = range.integer("start", 1, 65535);
  const last = range.integer("end", 1, 65535);
  if (first === undefined || last === undefined) return undefined;
  if (last <= first) range.issue("end", `${last} is not more than start ${first}`);
  return { kind: "ports", protocol, first, last };
}

function readTraffic(reader: Reader): ClusterTraffic | undefined {
  onlyFields(reader, "tcp", "udp", "sctp", "destinationNamedPort");
  const which = exactlyOne(reader, "tcp", "udp", "sctp", "destinationNamedPort");
  if (which === undefined) return undefined;
  if (which === "destinationNamedPort") return { kind: "named", name: readPortName(reader, which) };
  const body = reader.object(which);
  if (body === undefined) return undefined;
  onlyFields(body, "destinationPort");
  const port = body.object("destinationPort");
  if (port !== undefined) return readPortOf(port, PROTOCOLS[which]);
  return body.has("destinationPort") ? undefined : { kind: "protocol", protocol: PROTOCOLS[which] };
}

/** Complains of what a rule says but cannot mean. */
export function checkRule(reader: Reader, peersKey: string, trafficKey: string, rule: ClusterRule): void {
  if (rule.name.length > 100) reader.issue("name", `${quoted(rule.name)} has more than 100 characters`);
  const hasNames = rule.traffic.some((t) => t.kind === "named");
  const withoutPorts = rule.peers.some((p) => p.kind === "nodes" || p.kind === "networks" || p.kind === "domains");
  if (hasNames && withoutPorts)
    reader.issue(trafficKey, "A named port cannot stand with nodes, networks or domainNames: they declare no ports");
  if (rule.action !== "accept" && rule.peers.some((p) => p.kind === "domains"))
    reader.issue(peersKey, "domainNames is allowed in rules that accept only: names cannot be denied reliably");
}

function readRules(spec: Reader, direction: "ingress" | "egress", interner: Interner): ClusterRule[] {
  const peersKey = direction === "ingress" ? "from" : "to";
  return boundedObjects(spec, direction, 0, MAX_RULES).map((reader) => {
    onlyFields(reader, "name", "action", peersKey, "protocols");
    if (!reader.has("action")) reader.issue("action", "A value is required: Accept, Deny, Pass");
    const action = choice(reader, "action", ["Accept", "Deny", "Pass"]);
    const peers = boundedObjects(reader, peersKey, 1, MAX_RULES).map((p) => readClusterPeer(p, direction, interner));
    const traffic = boundedObjects(reader, "protocols", reader.has("protocols") ? 1 : 0, MAX_RULES).map(readTraffic);
    const rule: ClusterRule = {
      name: reader.string("name") ?? "",
      action: action === "Accept" ? "accept" : action === "Pass" ? "pass" : "deny",
      peers,
      traffic: traffic.filter((t) => t !== undefined),
    };
    checkRule(reader, peersKey, "protocols", rule);
    return rule;
  });
}

/** Reads a ClusterNetworkPolicy. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseClusterNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<ClusterNetworkPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const { name, isAudited, spec } = readPolicyHead(value, KIND, issues);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "tier", "priority", "subject", "ingress", "egress");
  if (!spec.has("tier")) spec.issue("tier", "A value is required: Admin, Baseline");
  if (!spec.has("priority")) spec.issue("priority", "A value is required: 0 to 1000, lower first");
  const policy: ClusterNetworkPolicy = {
    kind: "ClusterNetworkPolicy",
    name,
    isAudited,
    tier: choice(spec, "tier", ["Admin", "Baseline"]) ?? "Admin",
    priority: spec.integer("priority", 0, 1000) ?? 0,
    subject: readSubject(spec, interner),
    ingress: readRules(spec, "ingress", interner),
    egress: readRules(spec, "egress", interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}
