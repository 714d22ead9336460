import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { prefix } from "../net/prefix.ts";
import { labelExprText } from "./label-expr.ts";
import { orderPolicies } from "./order.ts";
import { type Atom, atomKey } from "./rule.ts";

describe("BUILT_IN_TIERS", () => {
  it("stand in the order admin, default, baseline, last, and two deny at their end", () => {
    const byOrder = orderPolicies([]).map((t) => t.tier);
    assert.deepEqual(
      byOrder.map((t) => `${t.name}: ${t.end}`),
      ["admin: pass", "default: deny", "baseline: pass", "last: deny"],
    );
  });
});

describe("atomKey()", () => {
  const key = (atom: Atom) => atomKey(atom, labelExprText);
  const has = (label: string) => ({ kind: "has", key: label }) as const;
  const atoms: readonly Atom[] = [
    { kind: "labels", domain: "pod", expr: has("app") },
    { kind: "labels", domain: "pod", expr: has("tier") },
    { kind: "labels", domain: "namespace", expr: has("app") },
    { kind: "cidr", scope: "any", prefix: prefix("10.0.0.0/8") },
    { kind: "cidr", scope: "any", prefix: prefix("10.0.0.0/9") },
    { kind: "service", namespace: "a", name: "b" },
    { kind: "named-port", name: "http", protocol: 6, port: 80 },
    { kind: "named-port", name: "http", protocol: 17, port: 80 },
  ];

  it("gives different atoms different keys", () => assert.equal(new Set(atoms.map(key)).size, atoms.length));

  it("gives the same key to the same atom from another object", () =>
    assert.deepEqual(
      atoms.map((a) => key(structuredClone(a))),
      atoms.map(key),
    ));
});
