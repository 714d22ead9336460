/** Failsafe ports: what no policy of a node can close, lest the node locks everybody out, and itself from the cluster. */

import type { Prefix } from "../net/prefix.ts";
import { anyOf, is } from "./peer.ts";
import type { Direction, Policy, Rule } from "./rule.ts";

/** A port of the node, or for egress of somebody else. */
export interface FailsafePort {
  /** IANA number. */
  readonly protocol: number;
  /** 1 … 65535. */
  readonly port: number;
  /** Empty: for all peers. */
  readonly nets: readonly Prefix[];
}

/** Those of both directions. */
export type Failsafes = Readonly<Record<Direction, readonly FailsafePort[]>>;

const tcp = (...ports: number[]) => ports.map((port): FailsafePort => ({ protocol: 6, port, nets: [] }));
const udp = (...ports: number[]) => ports.map((port): FailsafePort => ({ protocol: 17, port, nets: [] }));
const CONTROL = [179, 2379, 2380, 5473, 6443, 6666, 6667] as const;

/** Calico's own: SSH, DHCP, BGP, etcd, Typha, the API server; outwards DNS too. */
export const DEFAULT_FAILSAFES: Failsafes = {
  ingress: [...tcp(22, ...CONTROL), ...udp(68)],
  egress: [...tcp(...CONTROL), ...udp(53, 67)],
};

function ruleOf(failsafe: FailsafePort, path: string): Rule {
  const { protocol, port, nets } = failsafe;
  return {
    path,
    name: "failsafe port",
    action: "allow",
    peer: nets.length === 0 ? { kind: "any" } : anyOf(nets.map((prefix) => is({ kind: "cidr", prefix, scope: "any" }))),
    traffic: [
      {
        protocols: [{ first: protocol, last: protocol }],
        ports: [{ kind: "range", range: { first: port, last: port } }],
      },
    ],
    notEnforced: [],
  };
}

/** Kind of the policy that {@link failsafePolicy} makes. */
const KIND = "FailsafePorts";

/** Before all others of every node. By itself it is no reason to judge a node: see {@link isFailsafe}. */
export function failsafePolicy(failsafes: Failsafes): Policy {
  const rules = (d: Direction, key: string) => failsafes[d].map((p, i) => ruleOf(p, `policy.failsafe.${key}[${i}]`));
  return {
    ref: { dialect: "calico", kind: KIND, namespace: "", name: "twill" },
    tier: "admin",
    order: Number.NEGATIVE_INFINITY,
    rank: 0,
    mode: "enforce",
    subject: { of: "nodes", is: { kind: "any" } },
    ingress: { isolates: false, rules: rules("ingress", "inbound") },
    egress: { isolates: false, rules: rules("egress", "outbound") },
  };
}

/** Whether it is the failsafe ports' own. */
export function isFailsafe(policy: Policy): boolean {
  return policy.ref.kind === KIND;
}
