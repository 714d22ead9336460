import assert from "node:assert/strict";
import { test } from "node:test";
import type { Family } from "../net/addr.ts";
import { lookupSet } from "./lookup.ts";
import { type Step, walk } from "./order.ts";
import type { Policy, Rule, TrafficMatch } from "./rule.ts";
import { buildSet } from "./set.ts";
import { createRandom } from "./testing/random.ts";
import { NAMES, PORTS, PROTOCOLS, randomSteps } from "./testing/random-steps.ts";
import { trafficMatches } from "./traffic.ts";

const POLICY = { mode: "enforce" } as Policy;

test("a set says at every point what the walk says there: verdict, rule, log, what staged policies would do", () => {
  let points = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const r = createRandom(seed);
    const all = randomSteps(r);
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
