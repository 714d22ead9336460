/** Calico's host endpoints → the rules that a node has with one, before and behind all policies. */

import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import type { Prefix } from "../../net/prefix.ts";
import { anyOf, is } from "../peer.ts";
import type { Policy, PolicySide, Rule, Subject } from "../rule.ts";
import { HOST_ENDPOINT } from "./calico-labels.ts";

/** A port that no policy can close, lest a node locks everyone out. */
export interface FailsafePort {
  /** IANA number. */
  readonly protocol: number;
  readonly port: number;
  /** Empty: for all peers. */
  readonly nets: readonly Prefix[];
}

const tcp = (...ports: number[]) => ports.map((port): FailsafePort => ({ protocol: 6, port, nets: [] }));
const udp = (...ports: number[]) => ports.map((port): FailsafePort => ({ protocol: 17, port, nets: [] }));
const CONTROL = [179, 2379, 2380, 5473, 6443, 6666, 6667] as const;

/** Calico's own: SSH, DHCP, BGP, etcd, Typha, the API server; outwards DNS too. */
export const DEFAULT_FAILSAFES = {
  ingress: [...tcp(22, ...CONTROL), ...udp(68)],
  egress: [...tcp(...CONTROL), ...udp(53, 67)],
} as const;

function failsafe(port: FailsafePort, path: string): Rule {
  return {
    path,
    name: "failsafe port",
    action: "allow",
    peer:
      port.nets.length === 0
        ? { kind: "any" }
        : anyOf(port.nets.map((prefix) => is({ kind: "cidr", prefix, scope: "any" }))),
    traffic: [
      {
        protocols: [{ first: port.protocol, last: port.protocol }],
        ports: [{ kind: "range", range: { first: port.port, last: port.port } }],
      },
    ],
    notEnforced: [],
  };
}

/** What happens to traffic that no policy spoke about: the profile that allows all, or the end. */
function lastRule(endpoint: CalicoHostEndpoint): Rule {
  const allows = endpoint.profiles.includes("projectcalico-default-allow");
  const others = endpoint.profiles.filter((p) => p !== "projectcalico-default-allow");
  const isOne = endpoint.interfaceName !== "*";
  return {
    path: "spec.profiles",
    name: "",
    action: allows ? "allow" : "deny",
    peer: { kind: "any" },
    traffic: [{}],
    notEnforced: [
      ...others.map((p) => `profile ${p}`),
      ...(isOne ? ["interfaceName, expectedIPs: it stands for all interfaces of the node"] : []),
    ],
  };
}

/** Failsafe ports before everything, and the default behind everything. */
export function translateHostEndpoint(
  endpoint: CalicoHostEndpoint,
  failsafes: {
    readonly ingress: readonly FailsafePort[];
    readonly egress: readonly FailsafePort[];
  } = DEFAULT_FAILSAFES,
): readonly [Policy, Policy] {
  const subject: Subject = {
    of: "nodes",
    is: is({ kind: "labels", domain: "calico", expr: { kind: "in", key: HOST_ENDPOINT, values: [endpoint.name] } }),
  };
  const ref = { dialect: "calico", kind: "HostEndpoint", namespace: "", name: endpoint.name } as const;
  const rest = { ref, mode: "enforce", subject } as const;
  const side = (rules: readonly Rule[]): PolicySide => ({ isolates: false, rules });
  const open = (d: "ingress" | "egress") => side(failsafes[d].map((p) => failsafe(p, `failsafe ${d}`)));
  const last = side([lastRule(endpoint)]);
  return [
    {
      ...rest,
      tier: "admin",
      order: Number.NEGATIVE_INFINITY,
      rank: 0,
      ingress: open("ingress"),
      egress: open("egress"),
    },
    { ...rest, tier: "baseline", order: Number.POSITIVE_INFINITY, rank: 0, ingress: last, egress: last },
  ];
}
