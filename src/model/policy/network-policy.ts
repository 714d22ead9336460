/** Kubernetes NetworkPolicy (`networking.k8s.io/v1`), validated, with its defaults filled in. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type Prefix, prefixCovers } from "../../net/prefix.ts";
import type { Interner } from "../intern.ts";
import type { PortProtocol } from "../pod.ts";
import type { Reader } from "../read.ts";
import { type LabelSelector, readLabelSelector, SELECT_ALL } from "./label-selector.ts";
import { readPort } from "./port.ts";
import { onlyFields, quoted, readCidr, readPolicyHead } from "./strict.ts";

/** Who the other side is; a rule's peers are alternatives. */
export type NetworkPolicyPeer =
  | {
      readonly kind: "pods";
      /** Absent: every pod of the selected namespaces. */
      readonly podSelector: LabelSelector | undefined;
      /** Absent: the policy's own namespace. */
      readonly namespaceSelector: LabelSelector | undefined;
    }
  | { readonly kind: "block"; readonly cidr: Prefix; readonly except: readonly Prefix[] };

/** One port of a rule; a rule's ports are alternatives. */
export interface NetworkPolicyPort {
  readonly protocol: PortProtocol;
  /** A number, a name of the pod that the traffic goes to, or every port. */
  readonly port: number | string | undefined;
  /** Last port of a range, inclusive; `port` is a number then. */
  readonly endPort: number | undefined;
}

/** One rule of one direction. */
export interface NetworkPolicyRule {
  /** Empty: everyone. */
  readonly peers: readonly NetworkPolicyPeer[];
  /** Empty: all traffic, ICMP and other protocols included. */
  readonly ports: readonly NetworkPolicyPort[];
}

/** A policy. `namespace/name` is its key. */
export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  /** Counted and logged, not in force. */
  readonly isAudited: boolean;
  readonly podSelector: LabelSelector;
  /** Which directions it isolates: `policyTypes`, or its default. */
  readonly isolatesIngress: boolean;
  readonly isolatesEgress: boolean;
  readonly ingress: readonly NetworkPolicyRule[];
  readonly egress: readonly NetworkPolicyRule[];
}

const KIND = { kind: "NetworkPolicy", apiVersions: ["networking.k8s.io/v1"], isNamespaced: true };

function readBlock(reader: Reader): NetworkPolicyPeer | undefined {
  onlyFields(reader, "cidr", "except");
  const text = reader.requiredString("cidr");
  const cidr = text === "" ? undefined : readCidr(reader, "cidr", text);
  const except: Prefix[] = [];
  for (const [i, text] of reader.strings("except").entries()) {
    const inner = readCidr(reader, `except[${i}]`, text);
    if (inner === undefined) continue;
    except.push(inner);
    if (cidr !== undefined && (!prefixCovers(cidr, inner) || cidr.length === inner.length))
      reader.issue(`except[${i}]`, `${quoted(text)} is not strictly inside ${quoted(cidr.text)}`);
  }
  return cidr === undefined ? undefined : { kind: "block", cidr, except };
}

function readPeer(reader: Reader, interner: Interner): NetworkPolicyPeer | undefined {
  onlyFields(reader, "podSelector", "namespaceSelector", "ipBlock");
  const podSelector = readLabelSelector(reader, "podSelector", interner);
  const namespaceSelector = readLabelSelector(reader, "namespaceSelector", interner);
  const block = reader.object("ipBlock");
  if (block !== undefined) {
    if (podSelector !== undefined || namespaceSelector !== undefined)
      reader.complain("ipBlock cannot stand together with podSelector or namespaceSelector: make two peers of them");
    return readBlock(block);
  }
  if (podSelector === undefined && namespaceSelector === undefined) {
    reader.complain("A peer needs podSelector, namespaceSelector or ipBlock: {podSelector: {}} is every pod here");
    return undefined;
  }
  return { kind: "pods", podSelector, namespaceSelector };
}

function readRules(spec: Reader, direction: "ingress" | "egress", interner: Interner): NetworkPolicyRule[] {
  const peersKey = direction === "ingress" ? "from" : "to";
  return spec.objects(direction).map((rule) => {
    onlyFields(rule, peersKey, "ports");
    const peers = rule.objects(peersKey).map((p) => readPeer(p, interner));
    const ports = rule.objects("ports").map(readPort);
    return { peers: peers.filter((p) => p !== undefined), ports: ports.filter((p) => p !== undefined) };
  });
}

/** Ingress always, egress only where there are egress rules: what the API server writes when nothing is given. */
function readTypes(spec: Reader): { isolatesIngress: boolean; isolatesEgress: boolean } {
  const types = spec.strings("policyTypes");
  for (const [i, t] of types.entries())
    if (t !== "Ingress" && t !== "Egress")
      spec.issue(`policyTypes[${i}]`, `${quoted(t)} is not one of Ingress, Egress`);
  if (types.length > 2) spec.issue("policyTypes", `${types.length} items: at most 2 are allowed`);
  if (types.length === 0) return { isolatesIngress: true, isolatesEgress: spec.objects("egress").length > 0 };
  return { isolatesIngress: types.includes("Ingress"), isolatesEgress: types.includes("Egress") };
}

/** Reads a NetworkPolicy. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseNetworkPolicy(value: unknown, interner: Interner): Result<NetworkPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const { namespace, name, isAudited, spec } = readPolicyHead(value, KIND, issues);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "podSelector", "policyTypes", "ingress", "egress");
  const policy: NetworkPolicy = {
    namespace: interner.string(namespace),
    name,
    isAudited,
    podSelector: readLabelSelector(spec, "podSelector", interner) ?? SELECT_ALL,
    ...readTypes(spec),
    ingress: readRules(spec, "ingress", interner),
    egress: readRules(spec, "egress", interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}
