/** Kubernetes NetworkPolicy → rules. */

import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../../model/policy/network-policy.ts";
import { PORT_PROTOCOL_NUMBERS } from "../facts.ts";
import { anyOf, is } from "../peer.ts";
import { KUBERNETES_ORDER, type PeerExpr, type Policy, type Rule, type TrafficMatch } from "../rule.ts";
import { block, inNamespace, pods, selected } from "./selector.ts";

function peer(p: NetworkPolicyPeer, namespace: string): PeerExpr {
  if (p.kind === "block") return block(p.cidr, p.except);
  const place = p.namespaceSelector === undefined ? inNamespace(namespace) : selected("namespace", p.namespaceSelector);
  return pods(place, selected("pod", p.podSelector));
}

/** One entry of `ports`, also those of the kinds that borrow its form. */
export function portTraffic({ protocol, port, endPort }: NetworkPolicyPort): TrafficMatch {
  const number = PORT_PROTOCOL_NUMBERS[protocol];
  const protocols = [{ first: number, last: number }];
  if (port === undefined) return { protocols };
  if (typeof port === "string") return { protocols, ports: [{ kind: "named", name: port }] };
  return { protocols, ports: [{ kind: "range", range: { first: port, last: endPort ?? port } }] };
}

function rules(policy: NetworkPolicy, direction: "ingress" | "egress"): Rule[] {
  return policy[direction].map((rule, i) => ({
    path: `spec.${direction}[${i}]`,
    name: "",
    action: "allow",
    peer: rule.peers.length === 0 ? { kind: "any" } : anyOf(rule.peers.map((p) => peer(p, policy.namespace))),
    traffic: rule.ports.length === 0 ? [{}] : rule.ports.map(portTraffic),
    notEnforced: [],
  }));
}

/** The API promises a pod's own node its way in, whatever policies say: probes come from there. */
export const FROM_OWN_NODE: Rule = {
  path: "spec.ingress",
  name: "from the pod's own node",
  action: "allow",
  peer: is({ kind: "entity", entity: "host" }),
  traffic: [{}],
  notEnforced: [],
};

/** The policy as rules. All of it is enforced. */
export function translateNetworkPolicy(policy: NetworkPolicy): Policy {
  return {
    ref: { dialect: "kubernetes", kind: "NetworkPolicy", namespace: policy.namespace, name: policy.name },
    tier: "default",
    order: KUBERNETES_ORDER,
    rank: ALLOW_RANK,
    mode: policy.isAudited ? "stage" : "enforce",
    subject: { of: "pods", is: pods(inNamespace(policy.namespace), selected("pod", policy.podSelector)) },
    ingress: policy.isolatesIngress
      ? { isolates: true, rules: [FROM_OWN_NODE, ...rules(policy, "ingress")] }
      : { isolates: false, rules: [] },
    egress: policy.isolatesEgress ? { isolates: true, rules: rules(policy, "egress") } : { isolates: false, rules: [] },
  };
}

/** Behind the denies of the same order. */
const ALLOW_RANK = 1;
