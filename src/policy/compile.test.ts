import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { prefix } from "../net/prefix.ts";
import { createCompiler } from "./compile.ts";
import { worldFacts } from "./facts.ts";
import { lookup } from "./lookup.ts";
import { orderPolicies } from "./order.ts";
import { createPartition } from "./partition.ts";
import { type CompileLimits, DEFAULT_LIMITS } from "./room.ts";
import type { Action, AddressFacts, Mode, PeerExpr, Policy, Rule, Tier, TrafficMatch } from "./rule.ts";
import type { PolicyTables, Verdict } from "./table.ts";

const POD: AddressFacts = {
  addr: addr("10.0.0.1"),
  entities: new Set(["pod"]),
  labels: new Map(),
  namedPorts: [{ name: "http", protocol: 6, port: 80 }],
  services: new Set(),
};
const WORLD = addr("8.8.8.8");
const TCP = [{ first: 6, last: 6 }];

function rule(action: Action, traffic: TrafficMatch = {}, peer: PeerExpr = { kind: "any" }): Rule {
  return { path: `${action} ${JSON.stringify(traffic)}`, name: "", action, peer, traffic: [traffic], notEnforced: [] };
}

interface Wishes {
  readonly tier?: string;
  readonly order?: number;
  readonly mode?: Mode;
  readonly isolates?: boolean;
}

function policy(name: string, rules: readonly Rule[], wishes: Wishes = {}): Policy {
  return {
    ref: { dialect: "calico", kind: "GlobalNetworkPolicy", namespace: "", name },
    tier: wishes.tier ?? "default",
    order: wishes.order ?? 10,
    rank: 0,
    mode: wishes.mode ?? "enforce",
    subject: { of: "pods", is: { kind: "any" } },
    ingress: { isolates: wishes.isolates ?? true, rules },
    egress: { isolates: false, rules: [] },
  };
}

function compile(policies: readonly Policy[], tiers: readonly Tier[] = [], limits?: CompileLimits) {
  const partition = createPartition();
  partition.set(POD);
  const endpoint = { key: "x/a", of: "pods", facts: POD } as const;
  const tables = createCompiler(limits).compile(orderPolicies(policies, tiers), [endpoint], partition);
  const ask = (port: number, protocol = 6, from = WORLD): Verdict => {
    const identity = partition.identityOf(from);
    const question = { identity: identity.number, family: identity.family, protocol, port };
    return lookup(tables, { ...question, class: tables.endpoints.get("x/a")?.ingress ?? 0 });
  };
  return { tables, ask, by: (v: Verdict) => nameOf(tables, v.rule) };
}

function nameOf(tables: PolicyTables, number: number): string {
  const info = tables.rules.get(number);
  return info === undefined ? "" : `${info.ref?.name ?? ""} ${info.path}`.trim();
}

test("without policies everything is allowed, by no rule", () => {
  const { ask } = compile([]);
  assert.deepEqual(ask(80), { isAllowed: true, rule: 0, logRule: 0, staged: undefined });
});

test("an isolated endpoint falls to the end of the tier", () => {
  const { ask, by } = compile([policy("a", [rule("allow", { protocols: TCP, ports: [range(80, 90)] })])]);
  assert.equal(ask(85).isAllowed, true);
  assert.equal(by(ask(91)), "end of tier default");
  assert.equal(ask(85, 17).isAllowed, false);
});

test("a tier's end names the policies that isolate, and is told apart by them", () => {
  const isolators = (tables: PolicyTables, number: number | undefined) =>
    tables.rules.get(number ?? 0)?.isolatedBy.map((r) => r.name);
  const mute = [rule("allow", { protocols: TCP, ports: [range(80, 80)] })];
  const three = [policy("a", mute), policy("b", []), policy("mute", [], { isolates: false })];
  const { tables, ask } = compile(three);
  assert.deepEqual(isolators(tables, ask(91).rule), ["a", "b"]);
  const staged = compile([policy("c", mute, { mode: "stage" }), policy("d", [], { mode: "stage" })]);
  assert.equal(staged.ask(91).isAllowed, true);
  assert.deepEqual(isolators(staged.tables, staged.ask(91).staged?.rule), ["c", "d"]);
  const both = compile([policy("c", [], { mode: "stage" }), policy("e", mute)]);
  assert.deepEqual(isolators(both.tables, both.ask(91).rule), ["e"], "what is staged isolates nobody");
});

test("a rule that does something else from now on is another one to counters", () => {
  const partition = createPartition();
  partition.set(POD);
  const compiler = createCompiler();
  const numberOf = (action: Action) => {
    const one = { ...rule(action), path: "spec.ingress[0]" };
    const ordered = orderPolicies([policy("a", [one])]);
    const tables = compiler.compile(ordered, [{ key: "a", of: "pods", facts: POD }], partition);
    return [...tables.rules].find(([, info]) => info.path === one.path)?.[0];
  };
  const first = numberOf("allow");
  assert.equal(numberOf("allow"), first);
  assert.notEqual(numberOf("deny"), first);
});

test("the end of a tier keeps its number as long as the same policies isolate", () => {
  const partition = createPartition();
  partition.set(POD);
  const compiler = createCompiler();
  const endOf = (policies: readonly Policy[]) => {
    const tables = compiler.compile(orderPolicies(policies), [{ key: "a", of: "pods", facts: POD }], partition);
    return [...tables.rules].find(([, info]) => info.path === "end of tier default")?.[0];
  };
  const first = endOf([policy("a", [])]);
  assert.equal(endOf([policy("a", [rule("allow", { protocols: TCP, ports: [range(1, 2)] })])]), first);
  assert.notEqual(endOf([policy("a", []), policy("b", [])]), first);
});

test("the first rule decides, over all policies of a tier by their order", () => {
  const { ask, by } = compile([
    policy("late", [rule("allow")], { order: 2 }),
    policy("early", [rule("deny", { protocols: TCP, ports: [range(80, 80)] })], { order: 1 }),
  ]);
  assert.equal(ask(80).isAllowed, false);
  assert.match(by(ask(80)), /^early deny/);
  assert.match(by(ask(81)), /^late allow/);
});

test("pass goes on with the next tier, and skips the end of its own", () => {
  const tiers: Tier[] = [{ name: "security", order: 1, end: "deny" }];
  const { ask, by } = compile(
    [policy("s", [rule("pass", { protocols: TCP })], { tier: "security" }), policy("d", [rule("allow")])],
    tiers,
  );
  assert.match(by(ask(1)), /^d allow/);
  assert.equal(by(ask(1, 17)), "end of tier security");
});

test("a tier that nobody declares denies at its end", () => {
  assert.equal(compile([policy("a", [], { tier: "lost" })]).ask(80).isAllowed, false);
});

test("log is noted and goes on", () => {
  const { ask, tables } = compile([policy("a", [rule("log", { protocols: TCP }), rule("allow")])]);
  assert.match(nameOf(tables, ask(80).logRule), /^a log/);
  assert.ok(ask(80).isAllowed);
  assert.equal(ask(80, 17).logRule, 0);
});

test("a staged policy changes nothing and says what it would change", () => {
  const { ask } = compile([policy("s", [rule("deny", { protocols: TCP, ports: [range(80, 80)] })], { mode: "stage" })]);
  assert.equal(ask(80).isAllowed, true);
  assert.equal(ask(80).staged?.isAllowed, false);
  assert.equal(ask(81).staged?.isAllowed, false, "its isolation is staged as well");
  const loose = compile([policy("s", [rule("deny", { protocols: TCP })], { mode: "stage", isolates: false })]);
  assert.equal(loose.ask(80, 17).staged, undefined);
});

test("source ports are not in the tables: nothing opens by them", () => {
  const from = { protocols: TCP, sourcePorts: [range(1, 9)] };
  assert.equal(compile([policy("a", [rule("allow", from)])]).ask(80).isAllowed, false);
  assert.equal(compile([policy("a", [rule("deny", from), rule("allow")])]).ask(80).isAllowed, false);
  assert.equal(compile([policy("a", [rule("pass", from)])]).ask(80).isAllowed, false);
});

test("ICMP is asked by type and code, in its own family only", () => {
  const icmp = [{ family: 4, type: 8, code: undefined }] as const;
  const { ask } = compile([policy("a", [rule("allow", { icmp })])]);
  assert.ok(ask(0x0800, 1).isAllowed && ask(0x08ff, 1).isAllowed);
  assert.ok(!ask(0x0000, 1).isAllowed && !ask(0x0800, 6).isAllowed);
  assert.ok(!ask(0x0800, 58, addr("2001:db8::1")).isAllowed);
});

test("negations of protocols, ports and ICMP", () => {
  const not = { notProtocols: [{ first: 17, last: 17 }], notPorts: [range(80, 80)] };
  const { ask } = compile([policy("a", [rule("allow", not)])]);
  assert.ok(ask(81).isAllowed && !ask(80).isAllowed && !ask(81, 17).isAllowed && ask(0, 47).isAllowed);
});

test("a named port means the endpoint's own for ingress", () => {
  const { ask } = compile([policy("a", [rule("allow", { protocols: TCP, ports: [{ kind: "named", name: "http" }] })])]);
  assert.ok(ask(80).isAllowed && !ask(81).isAllowed);
});

test("a class that does not fit is closed, alone and said so", () => {
  const peers = Array.from(
    { length: 40 },
    (_, i): PeerExpr => ({
      kind: "is",
      atom: { kind: "cidr", prefix: prefix(`198.51.100.${i}/32`), scope: "any" },
    }),
  );
  const rules = peers.map((p, i) => rule("allow", { protocols: TCP, ports: [range(1000 + i, 1000 + i)] }, p));
  const limits = { ...DEFAULT_LIMITS, setRowsPerClass: 20, setRows: 1000, peerRows: 1000 };
  const { tables, ask } = compile([policy("big", rules)], [], limits);
  assert.equal(tables.overflow.size, 1);
  assert.match([...tables.overflow.values()][0] ?? "", /^Its rules need more than 20 rows$/);
  assert.equal(ask(1000, 6, addr("198.51.100.0")).isAllowed, false);
  assert.equal(tables.endpoints.get("x/a")?.egress !== undefined, true);
  const full = compile([policy("big", rules)], [], { ...limits, setRowsPerClass: 1000, peerRows: 10 });
  assert.match([...full.tables.overflow.values()][0] ?? "", /^The table of peers is full/);
});

test("endpoints with the same rules share a class; compiling again changes no number", () => {
  const partition = createPartition();
  const other = { ...POD, addr: addr("10.0.0.2") };
  for (const f of [POD, other]) partition.set(f);
  const endpoints = [
    { key: "x/a", of: "pods", facts: POD },
    { key: "x/b", of: "pods", facts: other },
  ] as const;
  const compiler = createCompiler();
  const ordered = orderPolicies([policy("a", [rule("allow", { protocols: TCP })])]);
  const first = compiler.compile(ordered, endpoints, partition);
  assert.deepEqual(first.endpoints.get("x/a"), first.endpoints.get("x/b"));
  assert.deepEqual(compiler.compile(ordered, endpoints, partition), first);
});

test("an endpoint without a class and a class that is not there are closed", () => {
  const { tables } = compile([]);
  const identity = createPartition().identityOf(worldFacts(WORLD).addr).number;
  for (const c of [0, 4711])
    assert.equal(lookup(tables, { class: c, identity, family: 4, protocol: 6, port: 80 }).isAllowed, false);
});

function range(first: number, last: number) {
  return { kind: "range", range: { first, last } } as const;
}
