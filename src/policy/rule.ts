/**
 * The rule model: what every dialect of policy is translated into, and all that the compiler and the kernel know.
 *
 * Dialects differ in fields and defaults; what they say is always this: policies stand in tiers, select endpoints, may
 * isolate a direction, and hold rules in order; a rule has an action, says who the peer is and what the traffic is.
 */

import type { Addr, Family } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import type { LabelExpr, LabelMap } from "./label-expr.ts";

/** Seen from the endpoint that a policy selects. */
export type Direction = "ingress" | "egress";

/** Whose grammar an object was written in. */
export type Dialect = "kubernetes" | "cluster-network-policy" | "calico" | "cilium";

/** Which object, in the words of its API. */
export interface PolicyRef {
  readonly dialect: Dialect;
  /** `NetworkPolicy`, `GlobalNetworkPolicy`, `CiliumNetworkPolicy`, … */
  readonly kind: string;
  /** `""` for objects of the cluster. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * Whose labels an expression is about. `calico` is the merged view of that dialect (a workload's labels with `pcns.` and
 * `pcsa.` ones and the synthetic ones; a host endpoint's; a network set's); `cilium` is the one with sources
 * (`k8s:app`, `reserved:host`, `any:` resolved by the dialect).
 */
export type LabelDomain = "pod" | "namespace" | "service-account" | "node" | "calico" | "cilium";

/** What is special about an address beyond labels. */
export type Entity =
  | "pod"
  /** The node that enforces. */
  | "host"
  | "remote-node"
  /** Neither pod nor node. */
  | "world"
  | "kube-apiserver"
  | "unmanaged";

/** A question about one address whose answer is yes or no. Equal atoms have equal {@link atomKey}. */
export type Atom =
  | { readonly kind: "labels"; readonly domain: LabelDomain; readonly expr: LabelExpr }
  /** `outside`: only addresses that are neither pod nor node, as Cilium reads CIDRs. */
  | { readonly kind: "cidr"; readonly prefix: Prefix; readonly scope: "any" | "outside" }
  | { readonly kind: "entity"; readonly entity: Entity }
  /** A backend of the service (its EndpointSlices). */
  | { readonly kind: "service"; readonly namespace: string; readonly name: string }
  /** The pod declares the named port with that number. */
  | { readonly kind: "named-port"; readonly name: string; readonly protocol: number; readonly port: number };

/** A boolean expression over what is known of one address. */
export type PeerExpr =
  | { readonly kind: "any" }
  | { readonly kind: "none" }
  | { readonly kind: "is"; readonly atom: Atom }
  | { readonly kind: "not"; readonly of: PeerExpr }
  | { readonly kind: "and" | "or"; readonly of: readonly PeerExpr[] };

/** A port declared by a pod's containers. */
export interface NamedPort {
  readonly name: string;
  /** IANA protocol number. */
  readonly protocol: number;
  readonly port: number;
}

/** All that predicates can ask about an address, whichever it is. */
export interface Facts {
  readonly entities: ReadonlySet<Entity>;
  /** A domain has several maps where several things share the address (network sets); any one may match. */
  readonly labels: ReadonlyMap<LabelDomain, readonly LabelMap[]>;
  readonly namedPorts: readonly NamedPort[];
  /** `namespace/name` of the services that it backs. */
  readonly services: ReadonlySet<string>;
}

/** All that predicates can ask about one address. */
export interface AddressFacts extends Facts {
  readonly addr: Addr;
  /** One object for all addresses of which the same is known, where somebody keeps it. */
  readonly shared?: Facts;
}

/** Numbers from `first` to `last`, both inclusive. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Ports by number or by name; a name is resolved on the pod that the traffic goes to. */
export type PortExpr =
  | { readonly kind: "range"; readonly range: NumberRange }
  | { readonly kind: "named"; readonly name: string };

/** ICMP type, and code where it matters, of the family's own ICMP. */
export interface IcmpMatch {
  readonly family: Family;
  readonly type: number;
  readonly code: number | undefined;
}

/** What the traffic is: all fields that are present must match. */
export interface TrafficMatch {
  readonly family?: Family;
  /** IANA numbers, inclusive; absent: every protocol. */
  readonly protocols?: readonly NumberRange[];
  readonly notProtocols?: readonly NumberRange[];
  /** Destination ports; any of them. Only protocols with ports can match. */
  readonly ports?: readonly PortExpr[];
  readonly notPorts?: readonly PortExpr[];
  readonly sourcePorts?: readonly PortExpr[];
  readonly notSourcePorts?: readonly PortExpr[];
  readonly icmp?: readonly IcmpMatch[];
  readonly notIcmp?: readonly IcmpMatch[];
}

/** What a rule does with traffic that it matches. `log` says so and goes on to the next rule. */
export type Action = "allow" | "deny" | "pass" | "log";

/** One rule of one direction. */
export interface Rule {
  /** Where in the object, as `spec.ingress[0].from[1]`. */
  readonly path: string;
  /** The name that the dialect lets users give, or `""`. */
  readonly name: string;
  readonly action: Action;
  readonly peer: PeerExpr;
  /** Alternatives; an empty list matches nothing, `[{}]` matches all traffic. */
  readonly traffic: readonly TrafficMatch[];
  /**
   * What the object asks for beyond layers 3 and 4 and is not enforced yet, in words. Such a rule must not open
   * anything: translators give it an action or traffic that fails closed.
   */
  readonly notEnforced: readonly string[];
}

/** The rules of one direction. */
export interface PolicySide {
  /** Endpoints that the policy selects fall to the tier's end in this direction when nothing in the tier matched. */
  readonly isolates: boolean;
  readonly rules: readonly Rule[];
}

/** Which endpoints a policy is about. */
export interface Subject {
  /** Pods with a network of their own, or the nodes themselves (host policies, host endpoints). */
  readonly of: "pods" | "nodes";
  readonly is: PeerExpr;
}

/** `enforce`: it decides. `stage`: it is counted and logged what it would decide, and nothing else. */
export type Mode = "enforce" | "stage";

/** One policy of any dialect. An object with several rule lists (`specs`) becomes several of these. */
export interface Policy {
  readonly ref: PolicyRef;
  /** Name of the tier that it stands in. */
  readonly tier: string;
  /** Ascending within the tier; ties by `rank`, then by dialect, name and namespace. Infinity: last. */
  readonly order: number;
  /** Splits an order: Cilium's denies stand before the allows of Kubernetes and Cilium. */
  readonly rank: number;
  readonly mode: Mode;
  readonly subject: Subject;
  readonly ingress: PolicySide;
  readonly egress: PolicySide;
}

/** A stage of judgement. Tiers are walked by ascending order, ties by name. */
export interface Tier {
  readonly name: string;
  readonly order: number;
  /** What happens to traffic of an isolated endpoint that nothing in the tier matched. */
  readonly end: "deny" | "pass";
}

/** Tiers that exist without being declared. Between `admin` and `baseline` stand Calico's, `default` among them. */
export const BUILT_IN_TIERS: readonly Tier[] = [
  { name: "admin", order: Number.NEGATIVE_INFINITY, end: "pass" },
  { name: "default", order: 1_000_000, end: "deny" },
  { name: "baseline", order: Number.POSITIVE_INFINITY, end: "pass" },
  // Behind the baseline by its name.
  { name: "last", order: Number.POSITIVE_INFINITY, end: "deny" },
];

/** Order of Kubernetes' and Cilium's policies within the tier `default`, which Calico gives the former. */
export const KUBERNETES_ORDER = 1000;

/** The same text for the same atom, whatever object it stood in. */
export function atomKey(atom: Atom, exprText: (e: LabelExpr) => string): string {
  switch (atom.kind) {
    case "labels":
      return `labels ${atom.domain} ${exprText(atom.expr)}`;
    case "cidr":
      return cidrKey(atom.scope, atom.prefix);
    case "entity":
      return entityKey(atom.entity);
    case "service":
      return serviceKey(atom.namespace, atom.name);
    case "named-port":
      return portKey(atom);
  }
}

/** Keys of atoms that have not to be made. */
export const cidrKey = (scope: "any" | "outside", { text }: Prefix): string => `cidr ${scope} ${text}`;
export const entityKey = (entity: Entity): string => `entity ${entity}`;
export const serviceKey = (namespace: string, name: string): string => `service ${namespace}/${name}`;
export const portKey = (p: NamedPort): string => `port ${p.name} ${p.protocol} ${p.port}`;
