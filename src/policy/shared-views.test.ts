import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "../model/intern.ts";
import { parsePod } from "../model/pod.ts";
import { calicoViews } from "./dialects/calico-labels.ts";
import { sharedPodView } from "./shared-views.ts";
import { createRandom } from "./testing/random.ts";

test("pods that are alike share a view, and it is the one that each has alone", () => {
  const interner = createInterner();
  const r = createRandom(1);
  const { pod: alone } = calicoViews([], (namespace, name) => new Map([["of", `${namespace}/${name}`]]));
  assert.ok(alone);
  const shared = sharedPodView(alone);
  const namespaces = ["a", "b"].map((team) => new Map([["team", team]]));
  const seen = new Set<unknown>();
  for (let i = 0; i < 400; i++) {
    const parsed = parsePod(
      {
        metadata: { name: `p${i}`, namespace: r.pick(["x", "y"]), labels: { app: r.pick(["a", "b", "c"]) } },
        spec: { serviceAccountName: r.pick(["", "robot"]) },
      },
      interner,
    );
    assert.ok(parsed.ok);
    const namespace = r.pick(namespaces);
    const view = shared(parsed.value, namespace);
    assert.deepEqual(view, alone(parsed.value, namespace));
    seen.add(view);
  }
  assert.equal(seen.size, 2 * 3 * 2 * 2);
});
