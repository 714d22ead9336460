/** ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy → rules. */

import type { ClusterNetworkPolicy, ClusterRule, ClusterTraffic } from "../../model/policy/cluster-network-policy.ts";
import type { ClusterPeer } from "../../model/policy/cluster-peer.ts";
import { PORT_PROTOCOL_NUMBERS } from "../facts.ts";
import { anyOf, is } from "../peer.ts";
import type { Action, PeerExpr, Policy, Rule, TrafficMatch } from "../rule.ts";
import { block, pods, selected } from "./selector.ts";

const NODE: PeerExpr = anyOf([is({ kind: "entity", entity: "host" }), is({ kind: "entity", entity: "remote-node" })]);

/** Which addresses a peer means; undefined when that is not known here. */
function peer(p: ClusterPeer): PeerExpr | undefined {
  switch (p.kind) {
    case "pods":
      return pods(selected("namespace", p.namespaceSelector), selected("pod", p.podSelector));
    case "nodes": {
      const expr = selected("node", p.selector);
      return expr.kind === "any" ? NODE : expr;
    }
    case "networks":
      return anyOf(p.networks.map((n) => block(n)));
    case "domains":
    case "unknown":
      return undefined;
  }
}

function traffic(t: ClusterTraffic): TrafficMatch {
  if (t.kind === "named") return { ports: [{ kind: "named", name: t.name }] };
  const number = PORT_PROTOCOL_NUMBERS[t.protocol];
  const protocols = [{ first: number, last: number }];
  if (t.kind === "protocol") return { protocols };
  return { protocols, ports: [{ kind: "range", range: { first: t.first, last: t.last } }] };
}

const ACTIONS: Readonly<Record<ClusterRule["action"], Action>> = { accept: "allow", deny: "deny", pass: "pass" };

function translateRule(rule: ClusterRule, path: string): Rule {
  const head = { path, name: rule.name };
  const notEnforced = rule.peers.flatMap((p) =>
    p.kind === "domains"
      ? [`domainNames ${p.names.join(", ")}`]
      : p.kind === "unknown"
        ? ["a peer without a known field"]
        : [],
  );
  // The specification: an unknown peer makes an Accept match nothing, and a Deny or Pass deny everything.
  if (rule.action !== "accept" && rule.peers.some((p) => p.kind === "unknown"))
    return { ...head, action: "deny", peer: { kind: "any" }, traffic: [{}], notEnforced };
  const isUnknown = rule.peers.some((p) => p.kind === "unknown");
  const peers = isUnknown ? [] : rule.peers.map(peer).filter((p) => p !== undefined);
  return {
    ...head,
    action: ACTIONS[rule.action],
    peer: anyOf(peers),
    traffic: rule.traffic.length === 0 ? [{}] : rule.traffic.map(traffic),
    notEnforced,
  };
}

/** Among equal priorities of the tier Baseline, the kind that has no priority stands last. */
const RANKS = { ClusterNetworkPolicy: 0, AdminNetworkPolicy: 0, BaselineAdminNetworkPolicy: 1 } as const;

/** The policy as rules. Domain names are not enforced: what accepts them matches nothing until it is. */
export function translateClusterNetworkPolicy(policy: ClusterNetworkPolicy): Policy {
  const rules = (direction: "ingress" | "egress") =>
    policy[direction].map((r, i) => translateRule(r, `spec.${direction}[${i}]`));
  const { namespaceSelector, podSelector } = policy.subject;
  return {
    ref: { dialect: "cluster-network-policy", kind: policy.kind, namespace: "", name: policy.name },
    tier: policy.tier === "Admin" ? "admin" : "baseline",
    order: policy.priority,
    rank: RANKS[policy.kind],
    mode: policy.isAudited ? "stage" : "enforce",
    subject: { of: "pods", is: pods(selected("namespace", namespaceSelector), selected("pod", podSelector)) },
    ingress: { isolates: false, rules: rules("ingress") },
    egress: { isolates: false, rules: rules("egress") },
  };
}
