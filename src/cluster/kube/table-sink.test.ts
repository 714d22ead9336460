import assert from "node:assert/strict";
import { test } from "node:test";
import { createSourceState } from "../source-state.ts";
import { TABLE_KINDS } from "../tables.ts";
import { createTableSink } from "./table-sink.ts";

function sinkOf(state: ReturnType<typeof createSourceState>, table: string) {
  const kind = TABLE_KINDS.find((k) => k.table === table);
  assert.ok(kind !== undefined);
  return createTableSink(kind, state, () => {});
}

const metadata = { namespace: "shop", name: "api" };
const wrong = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec: { podSelector: {}, x: 1 } };
const wrongOfCalico = { apiVersion: "projectcalico.org/v3", kind: "NetworkPolicy", metadata, spec: { y: 1 } };

test("problems of two groups' objects of one kind and name are two", () => {
  const state = createSourceState();
  const [kubernetes, calico] = [sinkOf(state, "networkPolicies"), sinkOf(state, "calicoNetworkPolicies")];
  kubernetes.changed([{ type: "ADDED", object: wrong }]);
  calico.changed([{ type: "ADDED", object: wrongOfCalico }]);
  const subjects = () => state.health().problems.map((p) => [p.table, p.key, p.subject]);
  const ofCalico = ["calicoNetworkPolicies", "shop/api", "NetworkPolicy.projectcalico.org shop/api"];
  assert.deepEqual(subjects(), [["networkPolicies", "shop/api", "NetworkPolicy shop/api"], ofCalico]);
  kubernetes.changed([{ type: "MODIFIED", object: { ...wrong, spec: { podSelector: {} } } }]);
  assert.deepEqual(subjects(), [ofCalico]);
  // A list without it takes its problem away, and nobody else's.
  kubernetes.changed([{ type: "MODIFIED", object: wrong }]);
  calico.listBegins();
  calico.listEnds();
  assert.deepEqual(subjects(), [["networkPolicies", "shop/api", "NetworkPolicy shop/api"]]);
});
