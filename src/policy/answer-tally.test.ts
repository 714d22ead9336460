import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerTally } from "./answer-tally.ts";

const REST = 1;
const [A, B] = [2, 3];

/** A tally with so many identities for each set. */
function tally(...counts: readonly (readonly [set: number, identities: number])[]): AnswerTally {
  const of = new AnswerTally();
  for (const [set, identities] of counts) of.add(set, identities);
  return of;
}

test("the default is the set that most identities have, the rest's among them", () => {
  assert.equal(tally().choose(REST, 10), REST);
  assert.equal(tally([A, 4], [B, 1]).choose(REST, 10), REST, "five are of the rest");
  assert.equal(tally([A, 4], [B, 3]).choose(REST, 10), A, "three are");
  assert.equal(tally([A, 3], [A, 3], [B, 4]).choose(REST, 10), A);
});

test("of equals the default stays the one that it was: nothing is written for a change that gains nothing", () => {
  const of = tally([A, 5]);
  assert.equal(of.choose(REST, 10), REST, "the rest's is first");
  of.add(A, 1);
  assert.equal(of.choose(REST, 10), A);
  of.remove(A);
  assert.equal(of.choose(REST, 10), A, "as many as of the rest");
  of.remove(A);
  assert.equal(of.choose(REST, 10), REST);
});

test("a set that nobody has any more is none", () => {
  const of = tally([A, 1], [B, 1]);
  of.remove(A);
  assert.deepEqual([...of.sets], [B]);
  assert.equal(of.counted, 1);
});

test("while the rest outnumbers every other set, it is the default still, without being chosen again", () => {
  const of = tally([A, 4], [B, 2]);
  of.choose(REST, 12);
  assert.ok(of.isRestStill(10), "four are of the rest, as many as have the commonest set");
  assert.ok(!of.isRestStill(9));
  const none = tally();
  none.choose(REST, 3);
  assert.ok(none.isRestStill(1));
  assert.ok(!none.isRestStill(0), "a family without identities has no default");
});
