import assert from "node:assert/strict";
import { test } from "node:test";
import { isWritten } from "../explain.ts";
import { policiesFor, refText, walk, walkOf } from "../order.ts";
import { matchesPeer } from "../peer.ts";
import { MIXED_TRAFFIC, mixedCluster } from "../testing/mixed.ts";
import { closedRule, trafficMatches } from "../traffic.ts";
import { lint } from "./lint.ts";
import type { World } from "./world.ts";

/** Texts of the rules that decide or act on some flow between the ends, asked one by one. */
function acting(
  world: World,
  ends: ReturnType<typeof mixedCluster>["ends"],
): { decides: Set<string>; matches: Set<string> } {
  const decides = new Set<string>();
  const matches = new Set<string>();
  for (const { pod } of world.pods.values())
    for (const direction of ["ingress", "egress"] as const) {
      const facts = pod && world.subject(pod);
      if (pod === undefined || facts === undefined) continue;
      const steps = walkOf(policiesFor(world.ordered, "pods", facts, direction), direction);
      for (const addr of ends)
        for (const [protocol, port] of MIXED_TRAFFIC) {
          const peer = world.peer(addr, pod.nodeName);
          const names = (direction === "ingress" ? facts : peer).namedPorts;
          const isMeant = (s: (typeof steps)[number]) =>
            s.kind === "rule" &&
            matchesPeer(s.rule.peer, peer) &&
            closedRule(s.rule).traffic.some((t) => trafficMatches(t, { protocol, port, family: addr.family }, names));
          for (const s of steps)
            if (s.kind === "rule" && isMeant(s)) matches.add(`${refText(s.policy.ref)} ${s.rule.path}`);
          walk(steps, (s) => {
            if (isMeant(s)) decides.add(`${refText(s.policy.ref)} ${s.rule.path}`);
            return isMeant(s);
          });
        }
    }
  return { decides, matches };
}

test("no rule that acts on some flow is called idle, and none that means some flow is said to mean nothing", () => {
  let found = 0;
  for (let seed = 1; seed <= 15; seed++) {
    const { world, ends } = mixedCluster(seed);
    const { decides, matches } = acting(world, ends);
    const { findings, isPartial } = lint(world);
    assert.equal(isPartial, false);
    // Places that several rules share: an object may be several policies.
    const written = [...world.rules.policies].flatMap((p) =>
      [...p.ingress.rules, ...p.egress.rules].filter(isWritten).map((r) => `${refText(p.ref)} ${r.path}`),
    );
    const isOne = (place: string) => written.filter((w) => w === place).length === 1;
    for (const f of findings) {
      const place = `${refText(f.ref)} ${f.path}`;
      if (!isOne(place)) continue;
      if (f.kind === "never-matches") assert.ok(!matches.has(place), `seed ${seed}: ${place} matches`);
      if (f.kind === "shadowed") assert.ok(!decides.has(place), `seed ${seed}: ${place} decides`);
      found++;
    }
  }
  assert.ok(found > 20, `${found} findings`);
});
