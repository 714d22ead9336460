import assert from "node:assert/strict";
import { test } from "node:test";
import { prefix } from "../net/prefix.ts";
import { CLOSED_CLASSES, findUnasked } from "./asking-room.ts";
import type { PolicyClass } from "./classes.ts";
import { DEFAULT_LIMITS } from "./room.ts";
import type { PeerExpr, Policy, Rule, TrafficMatch } from "./rule.ts";

const cidr = (text: string): PeerExpr => ({ kind: "is", atom: { kind: "cidr", prefix: prefix(text), scope: "any" } });
const PODS: PeerExpr = { kind: "is", atom: { kind: "entity", entity: "pod" } };
const ANY: PeerExpr = { kind: "any" };

function classAsking(key: string, peers: readonly PeerExpr[], traffic: TrafficMatch = {}): [string, PolicyClass] {
  const steps = peers.map((peer) => {
    const rule: Rule = { path: "", name: "", action: "allow", peer, traffic: [traffic], notEnforced: [] };
    return { kind: "rule" as const, rule, policy: {} as Policy };
  });
  return [key, { key, direction: "egress", steps, names: [] } as unknown as PolicyClass];
}

const named: TrafficMatch = { protocols: [{ first: 6, last: 6 }], ports: [{ kind: "named", name: "http" }] };
const limits = { ...DEFAULT_LIMITS, identityRows: 10 };
const without = (classes: readonly [string, PolicyClass][], knownRows: number, at = limits) => [
  ...findUnasked(new Map(classes), knownRows, at).keys(),
];

const TABLE: readonly (readonly [string, readonly [string, PolicyClass][], number, readonly string[]])[] = [
  ["everybody has room", [classAsking("a", [cidr("192.0.2.0/28"), PODS]), classAsking("b", [PODS])], 9, []],
  [
    "who comes first has room, and who does not fit is passed over",
    [
      classAsking("a", [cidr("192.0.2.0/28")]),
      classAsking("b", [cidr("192.0.2.0/29"), cidr("192.0.2.0/30")]),
      classAsking("c", [cidr("192.0.2.0/31")]),
    ],
    8,
    ["b"],
  ],
  [
    "a prefix is one row, whoever names it",
    [classAsking("a", [cidr("192.0.2.0/28")]), classAsking("b", [cidr("192.0.2.0/28"), PODS])],
    9,
    [],
  ],
  [
    "with too many addresses nobody may ask, and who asks nothing goes on",
    [classAsking("a", [PODS]), classAsking("b", [ANY]), classAsking("c", [ANY], named), classAsking("d", [])],
    11,
    ["a", "c"],
  ],
];

for (const [name, classes, knownRows, expected] of TABLE)
  test(`findUnasked(): ${name}`, () => assert.deepEqual(without(classes, knownRows), expected));

test("findUnasked(): there are no more classes than rows, with those that are closed", () => {
  const classes = Array.from({ length: 12 }, (_, i) => classAsking(`${i}`, []));
  const at = { ...DEFAULT_LIMITS, classes: 10 };
  assert.deepEqual(without(classes, 0, at), ["6", "7", "8", "9", "10", "11"]);
  assert.deepEqual(without(classes.slice(0, 10 - CLOSED_CLASSES), 0, at), []);
  assert.match(findUnasked(new Map(classes), 0, at).get("11") ?? "", /^The table of classes is full: 10 rows$/);
});
