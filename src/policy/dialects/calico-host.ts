/** Calico's host endpoints → what happens to a node's traffic that no policy spoke about. */

import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import { is } from "../peer.ts";
import type { Policy, PolicySide, Rule } from "../rule.ts";
import { HOST_ENDPOINT } from "./calico-labels.ts";

/** The profile that allows all: what a host endpoint has in the end, instead of denying. */
const DEFAULT_ALLOW = "projectcalico-default-allow";

function lastRule(endpoint: CalicoHostEndpoint): Rule {
  return {
    path: "spec.profiles",
    name: "",
    action: endpoint.profiles.includes(DEFAULT_ALLOW) ? "allow" : "deny",
    peer: { kind: "any" },
    traffic: [{}],
    notEnforced: endpoint.profiles.filter((p) => p !== DEFAULT_ALLOW).map((p) => `profile ${p}`),
  };
}

/** "Without any profiles or policies, Calico denies": the default behind everything. */
export function translateHostEndpoint(endpoint: CalicoHostEndpoint): readonly [Policy] {
  const last: PolicySide = { isolates: false, rules: [lastRule(endpoint)] };
  const labels = { kind: "in", key: HOST_ENDPOINT, values: [endpoint.name] } as const;
  return [
    {
      ref: { dialect: "calico", kind: "HostEndpoint", namespace: "", name: endpoint.name },
      tier: "baseline",
      order: Number.POSITIVE_INFINITY,
      rank: 0,
      mode: "enforce",
      subject: { of: "nodes", is: is({ kind: "labels", domain: "calico", expr: labels }) },
      ingress: last,
      egress: last,
    },
  ];
}
