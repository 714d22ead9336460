import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import { encodeMetricValue, encodePolicyHitKey, HitFlag } from "../../net/gen/bpf-maps.ts";
import type { PolicyRef } from "../../policy/rule.ts";
import { RuleBook } from "../../policy/rule-book.ts";
import type { RuleInfo } from "../../policy/table.ts";
import { PolicyHits } from "./policy-hits.ts";

const ref = (kind: string): PolicyRef => ({ dialect: "calico", kind, namespace: "", name: "x" });

function rule(kind: string | undefined, change: Partial<RuleInfo> = {}): RuleInfo {
  const of = kind === undefined ? undefined : ref(kind);
  return { direction: "ingress", ref: of, path: "p", name: "", action: "deny", isolatedBy: [], ...change };
}

function open() {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  kernel.loadPrograms(Uint8Array.of(1), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const book = new RuleBook();
  const count = (number: number, packets: number) => {
    // Two CPUs: one has counted all but one.
    const parts = [packets - 1, 1].map((n) => encodeMetricValue({ packets: BigInt(n), bytes: BigInt(n * 100) }));
    kernel.putMapRows("policy_hits", [{ key: encodePolicyHitKey({ rule: number }), value: Buffer.concat(parts) }]);
  };
  return { kernel, book, count, hits: new PolicyHits(kernel, book) };
}

test("hits are summed over CPUs, those of staged verdicts apart", () => {
  const { count, hits } = open();
  count(7, 10);
  count(7 + HitFlag.stagedHit, 3);
  count(8 + HitFlag.stagedHit, 1);
  const none = { packets: 0, bytes: 0 };
  assert.deepEqual(
    hits.read(),
    new Map([
      [7, { decided: { packets: 10, bytes: 1000 }, staged: { packets: 3, bytes: 300 } }],
      [8, { decided: none, staged: { packets: 1, bytes: 100 } }],
    ]),
  );
});

test("totals by kind, direction and action; ends of tiers count for who isolates", () => {
  const { count, hits, book } = open();
  const ends = [["A"], ["A", "A"], ["A", "B"], []].map((kinds) =>
    rule(undefined, { path: "end", isolatedBy: kinds.map(ref) }),
  );
  book.take(
    new Map([rule("A"), rule("A", { path: "q" }), rule("A", { action: "allow" }), ...ends].map((r, i) => [i + 1, r])),
    [],
  );
  for (let number = 1; number <= 7; number++) count(number, 2);
  count(1 + HitFlag.stagedHit, 5);
  count(99, 50);
  const of = (kind: string, action: string, isStaged: boolean, packets: number) => ({
    ...{ kind, direction: "ingress", action, isStaged, packets },
  });
  const sorted = hits.totals().sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  assert.deepEqual(sorted, [
    of("A", "allow", false, 2),
    of("A", "deny", false, 8),
    of("A", "deny", true, 5),
    of("mixed", "deny", false, 4),
  ]);
});

test("counters of rules that went are cleared, and stay in the totals", () => {
  const { kernel, count, hits, book } = open();
  book.take(
    new Map([
      [1, rule("A")],
      [2, rule("A")],
    ]),
    [],
  );
  count(1, 10);
  count(2, 20);
  count(1 + HitFlag.stagedHit, 4);
  count(500, 9);
  book.take(new Map([[2, rule("A")]]), [[1, rule("A")]]);
  const before = hits.totals();
  hits.clear();
  assert.deepEqual([...hits.read().keys()], [2]);
  assert.deepEqual(hits.totals(), before);
  count(2, 25);
  assert.deepEqual(
    hits.totals().map((t) => t.packets),
    [35, 4],
  );
  hits.clear();
  assert.equal(kernel.mapCount("policy_hits"), 1);
});
