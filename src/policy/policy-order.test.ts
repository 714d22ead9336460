import assert from "node:assert/strict";
import { test } from "node:test";
import { orderPolicies } from "./order.ts";
import { createPolicyOrder } from "./policy-order.ts";
import type { Policy, Tier } from "./rule.ts";
import { createRandom, type Random } from "./testing/random.ts";

const NONE = { isolates: false, rules: [] };
const DECLARED: readonly (readonly Tier[])[] = [[], [{ name: "security", order: 1, end: "pass" }]];

/** An object's parts: they compare as equal. */
function makeParts(r: Random, name: string): Policy[] {
  const policy = {
    ref: {
      dialect: r.pick(["kubernetes", "calico"] as const),
      kind: "NetworkPolicy",
      namespace: r.pick(["x", "y"]),
      name,
    },
    tier: r.pick(["default", "default", "default", "admin", "security", "nobody declares it"]),
    order: r.pick([1, 1000, Number.POSITIVE_INFINITY]),
    rank: r.below(2),
    mode: "enforce",
    subject: { of: "pods", is: { kind: "any" } },
    ingress: NONE,
    egress: NONE,
  } as const;
  return r.list(1, 3, () => ({ ...policy }));
}

test("whatever came and went, the order is that of a fresh sort, and what has not changed is the same object", () => {
  let kept = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const r = createRandom(seed);
    const order = createPolicyOrder();
    const objects = new Map<string, Policy[]>();
    let [tiers] = DECLARED as [readonly Tier[]];
    for (let i = 0; i < 30; i++) objects.set(`start-${i}`, makeParts(r, `start-${i}`));
    let last = order.update([...objects.values()].flat(), tiers);
    for (let step = 0; step < 40; step++) {
      if (r.oneIn(10)) tiers = r.pick(DECLARED);
      for (let n = r.below(4); n > 0; n--) {
        const name = r.oneIn(2) ? `p-${r.below(8)}` : r.pick([...objects.keys(), "p-0"]);
        if (r.oneIn(2)) objects.delete(name);
        else objects.set(name, makeParts(r, name));
      }
      const policies = [...objects.values()].flat();
      const now = order.update(policies, tiers);
      const lists = now.map((t) => ({ tier: t.tier, policies: [...t.policies] }));
      assert.deepEqual(lists, orderPolicies(policies, tiers), `seed ${seed} step ${step}`);
      for (const [i, tier] of lists.entries())
        for (const [k, policy] of tier.policies.entries())
          assert.equal(
            policy,
            orderPolicies(policies, tiers)[i]?.policies[k],
            "parts of an object stay in their order",
          );
      if (now.some((t) => last.includes(t))) kept++;
      assert.equal(order.update(policies, tiers), now);
      last = now;
    }
  }
  assert.ok(kept > 100, `tiers were kept in ${kept} steps only`);
});
