/** Steps of a class at random. */

import type { Family } from "../../net/addr.ts";
import type { Step } from "../order.ts";
import type { NamedPort, Policy, PortExpr, Rule, Tier, TrafficMatch } from "../rule.ts";
import type { Random } from "./random.ts";

export const PROTOCOLS = [0, 1, 6, 7, 17, 47, 58, 132, 136, 255];
export const PORTS = [0, 1, 53, 79, 80, 81, 255, 256, 0x0800, 0x0801, 0x8000, 65534, 65535];
export const NAMES: readonly NamedPort[] = [
  { name: "web", protocol: 6, port: 80 },
  { name: "web", protocol: 17, port: 81 },
  { name: "dns", protocol: 17, port: 53 },
];

function range(r: Random, from: readonly number[]) {
  const [a, b] = [r.pick(from), r.pick(from)];
  return { first: Math.min(a, b), last: Math.max(a, b) };
}

function port(r: Random): PortExpr {
  return r.oneIn(3)
    ? { kind: "named", name: r.pick(["web", "dns", "none"]) }
    : { kind: "range", range: range(r, PORTS) };
}

function icmp(r: Random) {
  return { family: r.pick<Family>([4, 6]), type: r.pick([0, 3, 8, 128]), code: r.pick([undefined, 0, 1, 255]) };
}

function match(r: Random): TrafficMatch {
  return {
    ...(r.oneIn(6) ? { family: r.pick<Family>([4, 6]) } : {}),
    ...(r.oneIn(2) ? { protocols: r.list(0, 2, () => range(r, PROTOCOLS)) } : {}),
    ...(r.oneIn(6) ? { notProtocols: r.list(0, 2, () => range(r, PROTOCOLS)) } : {}),
    ...(r.oneIn(2) ? { ports: r.list(0, 3, () => port(r)) } : {}),
    ...(r.oneIn(5) ? { notPorts: r.list(0, 2, () => port(r)) } : {}),
    ...(r.oneIn(5) ? { icmp: r.list(0, 2, () => icmp(r)) } : {}),
    ...(r.oneIn(6) ? { notIcmp: r.list(0, 2, () => icmp(r)) } : {}),
  };
}

const POLICY = { mode: "enforce" } as Policy;

/** Of three tiers, with what matters to a set: what the steps do with which traffic. */
export function randomSteps(r: Random): Step[] {
  return [0, 1, 2].flatMap((tier): Step[] => {
    const rules = r.list(0, 4, (): Step => {
      const action = r.pick<Rule["action"]>(["allow", "allow", "deny", "pass", "log"]);
      const rule: Rule = {
        path: "",
        name: "",
        action,
        peer: { kind: "any" },
        traffic: r.list(0, 2, () => match(r)),
        notEnforced: [],
      };
      return { kind: "rule", tier, policy: POLICY, rule, isStaged: r.oneIn(5) };
    });
    const of: Tier = { name: `t${tier}`, order: tier, end: r.pick<Tier["end"]>(["deny", "pass"]) };
    return r.oneIn(3) ? rules : [...rules, { kind: "end", tier, of, by: [POLICY], isStaged: r.oneIn(4) }];
  });
}
