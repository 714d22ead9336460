/**
 * All dialects at once, compiled, against the literal readings of each, for random clusters and flows.
 * `TWILL_POLICY_MIXED` says how many clusters, `TWILL_POLICY_SEED` where to begin.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAgree, flowsBetween } from "./testing/agree.ts";
import { MIXED_TRAFFIC, mixedCluster } from "./testing/mixed.ts";

/** Seeds that failed once. */
const REGRESSIONS: readonly number[] = [];

function compare(seed: number): number {
  const { nodes, ends, read } = mixedCluster(seed);
  return assertAgree(seed, flowsBetween(ends, MIXED_TRAFFIC, seed), nodes, read);
}

for (const seed of REGRESSIONS) test(`seed ${seed}, which failed once`, () => assert.ok(compare(seed) > 0));

test("tables and specifications agree on random clusters of all dialects", (t) => {
  const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
  const count = Number(process.env["TWILL_POLICY_MIXED"] ?? 60);
  let flows = 0;
  for (let seed = first; seed < first + count; seed++) flows += compare(seed);
  t.diagnostic(`seeds ${first} to ${first + count - 1}, ${flows} flows`);
  assert.ok(flows > count * 100, `only ${flows} flows`);
});
