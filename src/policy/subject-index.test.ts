import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterFacts } from "./facts.ts";
import { matchesPeer } from "./peer.ts";
import { SubjectIndex } from "./subject-index.ts";
import { mixedCluster } from "./testing/mixed.ts";
import { createRandom } from "./testing/random.ts";

test("no policy selects what it is no candidate for, while policies come and go", () => {
  let [selected, asked, all] = [0, 0, 0];
  for (let seed = 1; seed <= 20; seed++) {
    const r = createRandom(seed);
    const { cluster, views, ...source } = mixedCluster(seed).source;
    const policies = [...source.policies];
    const namespaces = new Map(cluster.namespaces.map((n) => [n.name, n]));
    const facts = clusterFacts({ localNode: "node-1", nodes: cluster.nodes, namespaces, pods: cluster.pods }, views);
    const index = new SubjectIndex();
    const there = new Set(policies);
    for (const policy of policies) index.add(policy);
    for (const of of facts.values()) {
      const policy = r.pick(policies);
      if (there.delete(policy)) index.remove(policy);
      else {
        there.add(policy);
        index.add(policy);
      }
      const candidates = index.candidates(of);
      for (const p of candidates) assert.ok(there.has(p), "a policy that is gone is no candidate");
      for (const p of there)
        if (matchesPeer(p.subject.is, of)) {
          assert.ok(candidates.has(p), `seed ${seed} ${p.ref.name}`);
          selected++;
        }
      asked += candidates.size;
      all += there.size;
    }
  }
  assert.ok(selected > 200 && asked < 0.8 * all, `${selected} selected, ${asked} of ${all} asked`);
});
