import assert from "node:assert/strict";
import { test } from "node:test";
import type { Family } from "../net/addr.ts";
import { lookupSet } from "./lookup.ts";
import { type Step, walk } from "./order.ts";
import type { NamedPort, Policy, PortExpr, Rule, Tier, TrafficMatch } from "./rule.ts";
import { buildSet } from "./set.ts";
import { createRandom, type Random } from "./testing/random.ts";
import { trafficMatches } from "./traffic.ts";

const PROTOCOLS = [0, 1, 6, 7, 17, 47, 58, 132, 136, 255];
const PORTS = [0, 1, 53, 79, 80, 81, 255, 256, 0x0800, 0x0801, 0x8000, 65534, 65535];
const NAMES: readonly NamedPort[] = [
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

function steps(r: Random): Step[] {
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

test("a set says at every point what the walk says there: verdict, rule, log, what staged policies would do", () => {
  let points = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const r = createRandom(seed);
    const all = steps(r);
    const numberOf = (step: Step) =>
      1 +
      all.findIndex((s) =>
        s.kind === "end" ? s === step : step.kind === "rule" && s.rule.traffic === step.rule.traffic,
      );
    const family = r.pick<Family>([4, 6]);
    const rows = buildSet({ steps: all, family, names: NAMES, numberOf });
    for (const protocol of PROTOCOLS)
      for (const p of PORTS) {
        // Protocols that have neither ports nor types are asked with 0.
        const has = [6, 17, 132, 136, family === 4 ? 1 : 58].includes(protocol);
        const at = { family, protocol, port: has ? p : 0 };
        const matches = (s: Step & { kind: "rule" }) => s.rule.traffic.some((t) => trafficMatches(t, at, NAMES));
        const real = walk(all, matches);
        const would = walk(all, matches, true);
        const found = lookupSet(rows, at.protocol, at.port);
        const number = (s: Step | undefined) => (s === undefined ? 0 : numberOf(s));
        const staged = found?.staged ?? found;
        assert.deepEqual(
          [found?.isAllowed, found?.rule, found?.logRule, staged?.isAllowed, staged?.rule],
          [real.isAllowed, number(real.by), number(real.logged), would.isAllowed, number(would.by)],
          `seed ${seed} protocol ${protocol} port ${at.port}`,
        );
        points++;
      }
  }
  assert.ok(points > 10_000);
});

test("a thousand rules about a thousand ports are a thousand rows and no square of it", () => {
  let asked = 0;
  const all = Array.from({ length: 1000 }, (_, i): Step => {
    const traffic: TrafficMatch = {
      protocols: [{ first: 6, last: 6 }],
      ports: [{ kind: "range", range: { first: i, last: i } }],
    };
    const get = (t: TrafficMatch, key: string | symbol): unknown => {
      asked++;
      return Reflect.get(t, key);
    };
    const counted = new Proxy(traffic, { get });
    const rule: Rule = {
      path: String(i),
      name: "",
      action: "allow",
      peer: { kind: "any" },
      traffic: [counted],
      notEnforced: [],
    };
    return { kind: "rule", tier: 0, policy: POLICY, rule, isStaged: false };
  });
  const rows = buildSet({
    steps: all,
    family: 4,
    names: [],
    numberOf: (s) => (s.kind === "rule" ? 1 + Number(s.rule.path) : 0),
  });
  assert.equal(rows.length, 1001);
  assert.ok(asked < 200_000, `${asked} questions`);
});
