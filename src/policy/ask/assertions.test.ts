import assert from "node:assert/strict";
import { test } from "node:test";
import { mixedCluster } from "../testing/mixed.ts";
import { type Assertion, checkAssertion, holds } from "./assertions.ts";
import { judgeEnds } from "./flow.ts";
import { readPolicyTest } from "./read-assertions.ts";

const HTTP = { kind: "port", protocol: 6, port: 80 } as const;
const claim = (more: Partial<Assertion>): Assertion => ({
  name: "",
  from: ["*"],
  to: ["*"],
  traffic: [HTTP],
  expect: "allow",
  by: undefined,
  ...more,
});

test("a claim about one flow holds when it is so, and never when the contrary is claimed", () => {
  let flows = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { world } = mixedCluster(seed);
    for (const from of world.pods.values())
      for (const to of world.pods.values()) {
        if (from === to) continue;
        const verdicts = judgeEnds(world, from, to, HTTP);
        for (const expect of ["allow", "deny"] as const) {
          const result = checkAssertion(world, claim({ from: [from.name], to: [to.name], expect }));
          const isSo = verdicts.length > 0 && verdicts.every((v) => v.isAllowed === (expect === "allow"));
          assert.equal(holds(result), isSo, `seed ${seed} ${from.name} → ${to.name} ${expect}`);
        }
        flows++;
      }
  }
  assert.ok(flows > 100);
});

test("a pattern means each pod that it fits once, and the failures of all are told", () => {
  const { world } = mixedCluster(3);
  const pods = [...world.pods.keys()];
  const all = checkAssertion(world, claim({ from: ["*", pods[0]!], expect: "deny", by: "no such rule" }));
  assert.equal(all.flows, pods.length * (pods.length - 1));
  assert.ok(all.failures.length > 0);
  assert.match(checkAssertion(world, claim({ from: ["x.z/*"] })).error ?? "", /No pod is named like "x\.z\/\*"/);
});

test("readPolicyTest() takes one word or a list of them, and fills in what is left out", () => {
  const read = readPolicyTest({
    apiVersion: "twill.dev/v1alpha1",
    kind: "PolicyTest",
    tests: [{ from: "a/b", to: ["c/d", "1.2.3.4"], port: ["80", "ICMP"], expect: "deny", by: "X" }],
  });
  assert.ok(read.ok);
  assert.deepEqual([read.value.name, read.value.objects, read.value.extra], ["", ["."], []]);
  const [first] = read.value.tests;
  assert.deepEqual(
    [first?.name, first?.from, first?.to, first?.traffic.length],
    ["test 1", ["a/b"], ["c/d", "1.2.3.4"], 2],
  );
  const wrong = readPolicyTest({ apiVersion: "v1", with: {}, tests: [{ from: 5, expect: "allow" }] });
  assert.ok(!wrong.ok);
  assert.deepEqual(
    wrong.error.map((i) => i.path),
    ["apiVersion", "with", "tests[0].from", "tests[0].to", "tests[0].port"],
  );
});
