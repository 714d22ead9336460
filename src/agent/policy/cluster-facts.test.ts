import assert from "node:assert/strict";
import { test } from "node:test";
import type { Namespace } from "../../model/namespace.ts";
import { podKey } from "../../model/pod.ts";
import { FactTable } from "../../policy/fact-table.ts";
import { clusterFacts } from "../../policy/facts.ts";
import type { AddressFacts } from "../../policy/rule.ts";
import { generateCluster } from "../../policy/testing/generate.ts";
import { parseCluster } from "../../policy/testing/parse.ts";
import { createRandom } from "../../policy/testing/random.ts";
import { tableFrom } from "../../store/table.ts";
import { ClusterFacts } from "./cluster-facts.ts";

const NODE = "node-1";

test("whatever came and went, what is known of addresses is what a fresh look finds", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const r = createRandom(seed);
    const { pods, nodes, namespaces } = parseCluster(generateCluster(seed));
    const known = new Map<string, AddressFacts>();
    const facts = new ClusterFacts(
      new FactTable((a, f) => (f === undefined ? known.delete(a.text) : known.set(a.text, { addr: a, ...f }))),
      NODE,
    );
    const byPod = (p: { namespace: string; name: string }) => podKey(p.namespace, p.name);
    const byName = (n: { name: string }) => n.name;
    let now = {
      pods: tableFrom(pods, byPod),
      nodes: tableFrom(nodes, byName),
      namespaces: tableFrom(namespaces, byName),
    };
    let views = {};
    for (let step = 0; step < 30; step++) {
      facts.update(now, views);
      const of = new Map([...now.namespaces].map((n): [string, Namespace] => [n.name, n]));
      const fresh = clusterFacts({ localNode: NODE, nodes: now.nodes, namespaces: of, pods: now.pods }, views);
      assert.deepEqual(known, fresh, `seed ${seed} step ${step}`);
      const pod = r.pick(pods);
      const namespace = r.pick(namespaces);
      const node = r.pick(nodes);
      if (r.oneIn(8)) views = {};
      const podRow = r.oneIn(3) ? undefined : { ...pod, labels: r.pick(pods).labels };
      const namespaceRow = r.oneIn(4) ? undefined : { ...namespace, labels: r.pick(namespaces).labels };
      now = {
        pods: r.oneIn(2) ? now.pods.with([{ key: byPod(pod), row: podRow }]) : now.pods,
        namespaces: r.oneIn(3) ? now.namespaces.with([{ key: namespace.name, row: namespaceRow }]) : now.namespaces,
        nodes: r.oneIn(3) ? now.nodes.with([{ key: node.name, row: r.oneIn(3) ? undefined : { ...node } }]) : now.nodes,
      };
    }
  }
});
