import assert from "node:assert/strict";
import { test } from "node:test";
import { type LabelExpr, type LabelMap, matchesLabels } from "./label-expr.ts";
import { LabelIndex } from "./label-index.ts";
import { createRandom, type Random } from "./testing/random.ts";

const KEYS = ["app", "tier", "zone"];
const VALUES = ["a", "b", "ab", ""];

function labels(r: Random): LabelMap {
  return new Map(KEYS.filter(() => r.oneIn(2)).map((key) => [key, r.pick(VALUES)]));
}

function expr(r: Random, depth: number): LabelExpr {
  const key = r.pick(KEYS);
  switch (r.below(depth > 0 ? 8 : 5)) {
    case 0:
      return r.oneIn(2) ? { kind: "all" } : { kind: "none" };
    case 1:
      return { kind: "has", key };
    case 2:
      return { kind: r.pick(["contains", "starts-with", "ends-with"] as const), key, text: r.pick(VALUES) };
    case 3:
    case 4:
      return { kind: "in", key, values: r.list(0, 3, () => r.pick(VALUES)) };
    case 5:
      return { kind: "not", of: expr(r, depth - 1) };
    default:
      return { kind: r.pick(["and", "or"] as const), of: r.list(0, 3, () => expr(r, depth - 1)) };
  }
}

test("an expression finds whom it would find by asking everybody, while labels come and go", () => {
  const r = createRandom(1);
  const maps = Array.from({ length: 30 }, () => labels(r));
  const index = new LabelIndex<number>();
  const borne = new Map<number, LabelMap>();
  let found = 0;
  for (let step = 0; step < 3000; step++) {
    const bearer = r.below(40);
    const old = borne.get(bearer);
    if (old !== undefined) index.change(old, bearer, false);
    borne.delete(bearer);
    if (!r.oneIn(3)) {
      const now = r.pick(maps);
      index.change(now, bearer, true);
      borne.set(bearer, now);
    }
    const asked = expr(r, 2);
    const wanted = [...borne].filter(([, map]) => matchesLabels(asked, map)).map(([who]) => who);
    assert.deepEqual([...index.matching(asked)].sort(), wanted.sort(), JSON.stringify(asked));
    found += wanted.length;
  }
  assert.ok(found > 5000, `only ${found} found`);
});
