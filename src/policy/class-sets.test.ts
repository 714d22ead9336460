import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassSets } from "./class-sets.ts";
import type { PolicyClass } from "./classes.ts";
import type { Step } from "./order.ts";
import type { Action, NamedPort, PeerExpr, Policy, PortExpr, Rule } from "./rule.ts";
import { SetShapes } from "./set-shapes.ts";
import { SharedRules } from "./shared-rules.ts";
import { SharedSets } from "./shared-sets.ts";

const POLICY = {
  ref: { dialect: "calico", kind: "GlobalNetworkPolicy", namespace: "", name: "p" },
  mode: "enforce",
} as Policy;
const ANY: PeerExpr = { kind: "any" };
const POD: PeerExpr = { kind: "is", atom: { kind: "entity", entity: "pod" } };
const HTTP: NamedPort = { name: "http", protocol: 6, port: 80 };
const NO_PORTS: readonly NamedPort[] = [];

function rule(path: string, action: Action, peer: PeerExpr, port: PortExpr): Step {
  const traffic = [{ protocols: [{ first: 6, last: 6 }], ports: [port] }];
  const of: Rule = { path, name: "", action, peer, traffic, notEnforced: [] };
  return { kind: "rule", tier: 0, policy: POLICY, rule: of, isStaged: false };
}
const port = (n: number): PortExpr => ({ kind: "range", range: { first: n, last: n } });

const END: Step = {
  kind: "end",
  tier: 0,
  of: { name: "t", order: 0, end: "deny" },
  by: [POLICY],
  isStaged: false,
};
/** Places 0 and 1 have a peer of their own, 2 and 3 hold for any. */
const STEPS = [
  rule("r0", "allow", POD, port(80)),
  rule("r1", "allow", POD, port(81)),
  rule("r2", "allow", ANY, port(82)),
  END,
];
const classOf = (steps: readonly Step[], direction: PolicyClass["direction"] = "ingress"): PolicyClass => ({
  key: direction,
  direction,
  steps,
  names: [],
});

function setUp(of = classOf(STEPS)) {
  const shared = { sets: new SharedSets(1), rules: new SharedRules(1), shapes: new SetShapes() };
  return { shared, sets: new ClassSets(of, shared), other: new ClassSets(of, shared) };
}
const pathsOf = (sets: ClassSets, set: number) => [...(sets.get(set)?.rules.values() ?? [])].map((r) => r.path).sort();

test("a set has the rules that mean its peers and those that mean any, in the order of the class", () => {
  const { sets } = setUp();
  assert.deepEqual(pathsOf(sets, sets.find([], 4, NO_PORTS)), ["end of tier t", "r2"]);
  const both = sets.find([1, 0], 4, NO_PORTS);
  assert.deepEqual(pathsOf(sets, both), ["end of tier t", "r0", "r1", "r2"]);
  assert.equal(sets.find([0, 1], 4, NO_PORTS), both);
  assert.notEqual(sets.find([0], 4, NO_PORTS), both);
});

test("named ports are the peers' for egress, the class's own for ingress", () => {
  const steps = [rule("r", "allow", POD, { kind: "named", name: "http" }), END];
  const egress = setUp(classOf(steps, "egress")).sets;
  assert.notEqual(egress.find([0], 4, [HTTP]), egress.find([0], 4, NO_PORTS));
  const ingress = setUp(classOf(steps)).sets;
  assert.equal(ingress.find([0], 4, [HTTP]), ingress.find([0], 4, NO_PORTS));
});

test("rows are those of the sets that somebody has", () => {
  const { sets } = setUp();
  const set = sets.find([0], 4, NO_PORTS);
  assert.equal(sets.rows, 0);
  sets.use(set, 2);
  assert.equal(sets.rows, sets.get(set)?.rows.length);
  assert.ok(sets.rows > 0);
  sets.leave(set);
  assert.ok(sets.rows > 0, "one has it still");
  sets.leave(set);
  assert.equal(sets.rows, 0);
});

test("a set that nobody has goes with the next look, its rules keep their numbers until the class ends", () => {
  const { sets, shared } = setUp();
  const [kept, idle] = [sets.find([0], 4, NO_PORTS), sets.find([1], 4, NO_PORTS)];
  sets.use(kept, 1);
  sets.dropIdle();
  assert.equal(sets.get(idle), undefined);
  assert.equal(shared.sets.rows, sets.get(kept)?.rows.length);
  const paths = () => [...shared.rules.current.values()].map((r) => r.path).sort();
  assert.deepEqual(paths(), ["end of tier t", "r0", "r1", "r2"]);
  sets.end();
  assert.deepEqual([shared.sets.rows, paths()], [0, []]);
});

test("classes share what is equal, and each holds it for itself", () => {
  const { sets, other, shared } = setUp();
  const set = sets.find([0], 4, NO_PORTS);
  assert.equal(other.find([0], 4, NO_PORTS), set);
  sets.end();
  assert.ok(shared.sets.rows > 0, "the other class holds it");
  other.end();
  assert.equal(shared.sets.rows, 0);
});
