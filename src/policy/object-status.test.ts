import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptedOf, enforcedOf, refusedOf } from "./object-status.ts";
import type { Policy, Rule } from "./rule.ts";

const rule = (path: string, ...notEnforced: string[]) => ({ path, notEnforced }) as unknown as Rule;
const policy = (mode: Policy["mode"], ...rules: Rule[]) =>
  ({ mode, ingress: { isolates: true, rules }, egress: { isolates: false, rules: [] } }) as unknown as Policy;
const text = ({ status, reason, message }: ReturnType<typeof enforcedOf>) => `${status} ${reason}: ${message}`;

test("what is wrong is told with its paths, and never at more length than a status has room for", () => {
  assert.equal(text(acceptedOf([])), "True Valid: All of it is understood");
  const issues = [
    { path: "spec.a", message: "no" },
    { path: "", message: "neither" },
  ];
  assert.equal(text(acceptedOf(issues)), "False Invalid: spec.a: no; neither");
  const many = Array.from({ length: 900 }, (_, i) => ({ path: `spec.rules[${i}]`, message: "Unknown field" }));
  const { message } = acceptedOf(many);
  assert.ok(message.length <= 1024, `${message.length}`);
  assert.match(message, /; and \d+ more$/);
  const told = message.match(/Unknown field/g)?.length ?? 0;
  assert.match(message, new RegExp(`and ${900 - told} more$`));
  assert.equal(acceptedOf([{ path: "", message: "x".repeat(5000) }]).message.length, 1024);
});

test("what is not enforced is told, each once", () => {
  assert.match(text(enforcedOf([policy("enforce", rule("r"))], "default")), /^True Enforced/);
  const partly = enforcedOf([policy("enforce", rule("r", "http"), rule("r", "http"), rule("s"))], "always");
  assert.equal(text(partly), "False PartlyEnforced: Not enforced, and closed; r: http");
  assert.match(text(enforcedOf([policy("stage", rule("r"))], "default")), /^False Staged/);
  assert.match(text(enforcedOf([policy("stage"), policy("enforce")], "default")), /^True Enforced/);
  assert.match(text(enforcedOf([], "default")), /^False NothingToEnforce/);
  assert.match(text(enforcedOf([policy("enforce")], "never")), /^False ModeNever/);
});

test("of a refused policy it is said what holds instead", () => {
  assert.match(text(refusedOf(true)), /^False Invalid: .*close what it may select/);
  assert.match(text(refusedOf(false)), /^False Invalid: .*nothing of it/);
});
