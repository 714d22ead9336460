import assert from "node:assert/strict";
import { test } from "node:test";
import type { Family } from "../net/addr.ts";
import type { Step } from "./order.ts";
import type { NamedPort, Rule } from "./rule.ts";
import { buildSet, type SetInput } from "./set.ts";
import { MAX_SHAPES, SetShapes } from "./set-shapes.ts";
import { createRandom, type Random } from "./testing/random.ts";
import { NAMES, randomSteps } from "./testing/random-steps.ts";

const NO_NAMES: readonly NamedPort[] = [];

/** Numbers by tier, end, and traffic, which no two of the random rules have in common: closed steps are others. */
function numbersOf(steps: readonly Step[], number: (i: number) => number): SetInput["numberOf"] {
  const key = (s: Step) => (s.kind === "end" ? s.of : s.rule.path);
  const numbers = new Map(steps.map((s, i) => [key(s), number(i)]));
  return (step) => numbers.get(key(step)) ?? assert.fail("a step that was not given");
}

/** The same steps of other policies. */
function again(steps: readonly Step[], tag: string): Step[] {
  return steps.map((s, i) =>
    s.kind === "end"
      ? { ...s, of: { ...s.of, name: tag }, by: [] }
      : { ...s, rule: { ...s.rule, path: `${tag} ${i}`, traffic: [...s.rule.traffic] } },
  );
}

/** Source ports, which the tables cannot hold, at some of the rules. */
function withSources(r: Random, steps: readonly Step[]): Step[] {
  const range = { first: 1, last: 2 };
  return steps.map((s) =>
    s.kind === "end" || !r.oneIn(6)
      ? s
      : { ...s, rule: { ...s.rule, traffic: [{ sourcePorts: [{ kind: "range", range }] }] } },
  );
}

test("the rows are those that buildSet() makes, whatever was asked before, and of rules that are one as well", () => {
  const shapes = new SetShapes();
  let known = 0;
  for (let seed = 1; seed <= 600; seed++) {
    const r = createRandom(seed);
    const family = r.pick<Family>([4, 6]);
    const names = r.pick([NAMES, NO_NAMES, NAMES.slice(0, 1)]);
    const first = again(withSources(r, randomSteps(r)), "first");
    for (const [steps, number] of [
      [first, (i: number) => 100 + i],
      [again(first, "second"), (i: number) => 1000 - i],
      [again(first, "third"), (i: number) => 1 + (i % 3)],
    ] as const) {
      const before = shapes.size;
      const input: SetInput = { steps, family, names, numberOf: numbersOf(steps, number) };
      assert.deepEqual(shapes.build(input), buildSet(input), `seed ${seed}`);
      if (shapes.size === before) known++;
    }
  }
  assert.ok(known >= 1200, `${known} of 1800 were known`);
});

const rule = (fields: Partial<Rule>): Step => ({
  kind: "rule",
  tier: 0,
  policy: { mode: "enforce" } as never,
  rule: { path: "", name: "", action: "allow", peer: { kind: "any" }, traffic: [{}], notEnforced: [], ...fields },
  isStaged: false,
});
const web = (port: number): Rule["traffic"] => [{ ports: [{ kind: "range", range: { first: port, last: port } }] }];
const end = (of: "deny" | "pass"): Step => ({
  kind: "end",
  tier: 0,
  of: { name: "t", order: 0, end: of },
  by: [],
  isStaged: false,
});
const PASS = rule({ action: "pass", traffic: web(80) });

const DIFFERENT: readonly (readonly [what: string, a: Partial<SetInput>, b: Partial<SetInput>])[] = [
  ["action", { steps: [rule({})] }, { steps: [rule({ action: "deny" })] }],
  ["traffic", { steps: [rule({ traffic: web(80) })] }, { steps: [rule({ traffic: web(81) })] }],
  ["end", { steps: [end("deny")] }, { steps: [end("pass")] }],
  ["staged", { steps: [end("deny")] }, { steps: [{ ...end("deny"), isStaged: true }] }],
  ["tier", { steps: [PASS, end("deny")] }, { steps: [PASS, { ...end("deny"), tier: 1 }] }],
  ["order", { steps: [PASS, rule({})] }, { steps: [rule({}), PASS] }],
  ["family", { steps: [end("deny")], family: 4 }, { steps: [end("deny")], family: 6 }],
  ["names", { steps: [end("deny")], names: NAMES }, { steps: [end("deny")], names: NO_NAMES }],
];
for (const [what, a, b] of DIFFERENT)
  test(`sets of another ${what} are of another shape`, () => {
    const shapes = new SetShapes();
    for (const input of [a, b, a, b])
      shapes.build({ steps: [], family: 4, names: NO_NAMES, numberOf: () => 1, ...input });
    assert.equal(shapes.size, 2);
  });

test("a set asks for the numbers of the rules that it names, and for no others", () => {
  const steps = again([rule({ traffic: web(80) }), rule({}), end("deny")], "a");
  const asked: Step[] = [];
  const input: SetInput = {
    steps,
    family: 4,
    names: NO_NAMES,
    numberOf: (step) => {
      asked.push(step);
      return asked.length;
    },
  };
  new SetShapes().build(input);
  assert.deepEqual(new Set(asked), new Set(steps.slice(0, 2)));
});

test("so many shapes are kept and no more, and what is too large is not", () => {
  const shapes = new SetShapes();
  const build = (steps: readonly Step[]) =>
    shapes.build({ steps, family: 4, names: NO_NAMES, numberOf: (s) => (s.kind === "end" ? 1 : 2) });
  for (let port = 0; port < MAX_SHAPES + 10; port++) {
    build([rule({ traffic: web(port) }), end("deny")]);
    assert.ok(shapes.size <= MAX_SHAPES);
  }
  assert.equal(shapes.size, 10);
  build(Array.from({ length: 100 }, (_, i) => rule({ traffic: web(i) })));
  build([rule({ traffic: Array.from({ length: 100 }, (_, i) => web(2 * i)).flat() }), end("deny")]);
  assert.equal(shapes.size, 10);
});
