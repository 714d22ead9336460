/** Cilium's policies → rules. */

import type { CiliumPolicy, CiliumRule, CiliumSpec } from "../../model/policy/cilium-policy.ts";
import type { CiliumPort } from "../../model/policy/cilium-port.ts";
import { anyOf, is } from "../peer.ts";
import {
  type Action,
  type Direction,
  KUBERNETES_ORDER,
  type PeerExpr,
  type Policy,
  type PolicySide,
  type Rule,
  type Subject,
  type TrafficMatch,
} from "../rule.ts";
import { CILIUM_NAMESPACE, ciliumExpr, plainExpr, scopedSelector } from "./cilium-labels.ts";
import { type CiliumContext, ciliumPeer, unknownOf } from "./cilium-peer.ts";
import { FROM_OWN_NODE } from "./kubernetes.ts";
import { pods } from "./selector.ts";

/** Any deny of any policy beats any allow. */
const DENY_RANK = 0;
const ALLOW_RANK = 1;

/** TCP, UDP and SCTP, which a port without a protocol means. */
const WITH_PORTS = [
  { first: 6, last: 6 },
  { first: 17, last: 17 },
  { first: 132, last: 132 },
];

function portTraffic({ protocol, port }: CiliumPort): TrafficMatch {
  const protocols = protocol === undefined ? WITH_PORTS : [{ first: protocol, last: protocol }];
  if (port === undefined) return { protocols };
  return { protocols, ports: ["name" in port ? { kind: "named", name: port.name } : { kind: "range", range: port }] };
}

/** Traffic in parts, each with what it asks for beyond layer 4. */
function trafficParts(rule: CiliumRule): { traffic: readonly TrafficMatch[]; beyond: readonly string[] }[] {
  if (rule.icmps !== undefined) {
    const traffic = rule.icmps.map(({ family, type }): TrafficMatch => ({ icmp: [{ family, type, code: undefined }] }));
    return [{ traffic, beyond: [] }];
  }
  if (rule.toPorts === undefined) return [{ traffic: [{}], beyond: [] }];
  const plain = rule.toPorts.filter((p) => p.beyond.length === 0);
  return [
    ...(plain.length === 0 ? [] : [{ traffic: plain.flatMap((p) => p.ports.map(portTraffic)), beyond: [] }]),
    ...rule.toPorts
      .filter((p) => p.beyond.length > 0)
      .map((p) => ({ traffic: p.ports.map(portTraffic), beyond: p.beyond })),
  ];
}

/** No field at all is nobody; ports or ICMP without peers are everybody. */
function peerOf(rule: CiliumRule, namespace: string, context: CiliumContext): PeerExpr {
  if (rule.peers !== undefined) return anyOf(rule.peers.map((p) => ciliumPeer(p, namespace, context)));
  return { kind: rule.toPorts === undefined && rule.icmps === undefined ? "none" : "any" };
}

function translateRule(
  rule: CiliumRule,
  path: string,
  action: Action,
  namespace: string,
  context: CiliumContext,
): Rule[] {
  const peer = peerOf(rule, namespace, context);
  const later = (rule.peers ?? []).flatMap((p) => (p.kind === "later" ? [p.text] : unknownOf(p, context)));
  const always = [...later, ...(rule.authentication === undefined ? [] : [`authentication ${rule.authentication}`])];
  return trafficParts(rule).map(({ traffic, beyond }) => {
    // Layer 7 and authentication would have to be asked before anything passes; a group of a cloud is a peer of its own.
    const isClosed = action === "allow" && (beyond.length > 0 || rule.authentication !== undefined);
    // A deny whose peers are not known denies everybody.
    const isWide = action === "deny" && later.length > 0;
    return {
      path,
      name: "",
      action,
      peer: isWide ? { kind: "any" } : peer,
      traffic: isClosed ? [] : traffic,
      notEnforced: [...always, ...beyond],
    };
  });
}

function subjectOf(spec: CiliumSpec, namespace: string): Subject {
  if (spec.of === "nodes") {
    const expr = plainExpr(spec.selector);
    return { of: "nodes", is: expr.kind === "all" ? { kind: "any" } : is({ kind: "labels", domain: "node", expr }) };
  }
  const own = { source: "k8s", key: CILIUM_NAMESPACE, operator: "In", values: [namespace] } as const;
  const selector = namespace === "" ? scopedSelector(spec.selector, "") : [...spec.selector, own];
  return { of: "pods", is: pods(is({ kind: "labels", domain: "cilium", expr: ciliumExpr(selector) })) };
}

function translateSpec(policy: CiliumPolicy, spec: CiliumSpec, context: CiliumContext): Policy[] {
  const rules = (key: "ingress" | "ingressDeny" | "egress" | "egressDeny", action: Action): Rule[] =>
    spec[key].flatMap((r, i) => translateRule(r, `${spec.path}.${key}[${i}]`, action, policy.namespace, context));
  const base = {
    ref: { dialect: "cilium", kind: policy.kind, namespace: policy.namespace, name: policy.name },
    tier: "default",
    order: KUBERNETES_ORDER,
    mode: policy.isAudited ? "stage" : "enforce",
    subject: subjectOf(spec, policy.namespace),
  } as const;
  const side = (d: Direction): PolicySide => {
    const isolates = spec.defaultDeny[d];
    // Cilium lets a node reach its own pods, too, whatever its policies allow, but not what they deny.
    const own = d === "ingress" && isolates && spec.of === "endpoints" ? [FROM_OWN_NODE] : [];
    return { isolates, rules: [...own, ...rules(d, "allow")] };
  };
  const denies = {
    ingress: { isolates: false, rules: rules("ingressDeny", "deny") },
    egress: { isolates: false, rules: rules("egressDeny", "deny") },
  };
  const allow: Policy = { ...base, rank: ALLOW_RANK, ingress: side("ingress"), egress: side("egress") };
  if (denies.ingress.rules.length + denies.egress.rules.length === 0) return [allow];
  return [{ ...base, rank: DENY_RANK, ...denies }, allow];
}

/** The policy as rules: of each specification its denies, if there are any, and its allows. */
export function translateCiliumPolicy(policy: CiliumPolicy, context: CiliumContext): readonly Policy[] {
  return policy.specs.flatMap((spec) => translateSpec(policy, spec, context));
}
