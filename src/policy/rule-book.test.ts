import assert from "node:assert/strict";
import { test } from "node:test";
import { RuleBook } from "./rule-book.ts";
import type { RuleInfo } from "./table.ts";

const rule = (path: string): RuleInfo => ({
  direction: "ingress",
  ref: undefined,
  path,
  name: "",
  action: "deny",
  isolatedBy: [],
});
const rules = (...numbers: number[]) => new Map(numbers.map((n) => [n, rule(`r${n}`)]));
const none = rules();

test("a rule that went is still known, and said to have gone", () => {
  const book = new RuleBook();
  book.take(rules(1, 2), none);
  book.take(rules(2, 3), rules(1));
  assert.deepEqual(book.find(1), { info: rule("r1"), isCurrent: false });
  assert.deepEqual(book.find(2), { info: rule("r2"), isCurrent: true });
  assert.equal(book.find(4), undefined);
});

test("only so many are remembered, those that went last, and the others are counted", () => {
  const book = new RuleBook(2);
  book.take(rules(1), none);
  book.take(rules(2), rules(1));
  book.take(rules(3, 4), rules(2));
  book.take(rules(3), rules(4));
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => book.find(n)?.isCurrent),
    [undefined, false, true, false],
  );
  assert.equal(book.forgotten, 1);
});

test("a rule that comes back under its number is in force", () => {
  const book = new RuleBook();
  book.take(rules(1), none);
  book.take(none, rules(1));
  book.take(rules(1), none);
  assert.equal(book.find(1)?.isCurrent, true);
});
