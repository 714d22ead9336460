import assert from "node:assert/strict";
import { test } from "node:test";
import { refKey } from "../order.ts";
import { matchesPeer } from "../peer.ts";
import { mixedCluster } from "../testing/mixed.ts";
import { policyObjects } from "./objects.ts";

test("every object of a cluster once, with every rule of it and everybody whom it selects", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { world } = mixedCluster(seed);
    const objects = policyObjects(world);
    const policies = [...world.rules.policies];
    assert.deepEqual(objects.map((o) => refKey(o.ref)).sort(), [...new Set(policies.map((p) => refKey(p.ref)))].sort());
    for (const o of objects) {
      const own = policies.filter((p) => refKey(p.ref) === refKey(o.ref));
      for (const d of ["ingress", "egress"] as const) {
        assert.equal(
          o.isolates.includes(d),
          own.some((p) => p[d].isolates),
        );
        for (const { path } of own.flatMap((p) => p[d].rules))
          assert.ok(
            o.rules.some((r) => r.path === path && r.direction === d),
            `${o.text} ${path}`,
          );
      }
      for (const [name, end] of world.pods) {
        const facts = world.subject(end.pod!)!;
        const isMeant = own.some((p) => p.subject.of === "pods" && matchesPeer(p.subject.is, facts));
        assert.equal(o.selects.includes(name), isMeant, `${o.text} ${name}`);
      }
    }
  }
});

test("traffic of every kind has words", () => {
  const texts = new Set<string>();
  for (let seed = 1; seed <= 30; seed++)
    for (const o of policyObjects(mixedCluster(seed).world)) for (const r of o.rules) texts.add(r.traffic);
  for (const pattern of [/^all$/, /^TCP \d+$/, /^TCP \d+-\d+/, /UDP/, /ICMP/, /^TCP [a-z]+/])
    assert.ok(
      [...texts].some((t) => pattern.test(t)),
      `${pattern}: ${[...texts].join(" | ")}`,
    );
  assert.ok(![...texts].some((t) => t === "" || t.includes("undefined")));
});
