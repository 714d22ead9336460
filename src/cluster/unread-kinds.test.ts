import assert from "node:assert/strict";
import { test } from "node:test";
import { isUnreadPolicy, misspelled } from "./unread-kinds.ts";

test("a policy under a version that is not read, and a misspelled kind, are told from what is none of our business", () => {
  assert.match(
    misspelled("extensions/v1beta1", "NetworkPolicy")?.message ?? "",
    /: networking\.k8s\.io\/v1, projectcalico/,
  );
  assert.equal(misspelled("cilium.io/v1", "CiliumNetworkPolicy")?.path, "apiVersion");
  assert.deepEqual(misspelled("networking.k8s.io/v1", "NetworkPolcy"), {
    path: "kind",
    message: 'Unknown kind "NetworkPolcy": did you mean "NetworkPolicy"?',
  });
  for (const [apiVersion, kind] of [
    ["networking.k8s.io/v1", "Ingress"],
    ["apps/v1", "Deployment"],
    ["example.com/v1", "NetworkPolicy"],
    ["cilium.io/v2", "CiliumNode"],
    ["cilium.io/v2", "CiliumClusterwideEnvoyConfig"],
    ["projectcalico.org/v3", "BGPPeer"],
    ["projectcalico.org/v3", "Node"],
  ] as const)
    assert.equal(misspelled(apiVersion, kind), undefined, kind);
});

test("policies of the same groups that are not read are known as such", () => {
  assert.equal(isUnreadPolicy("cilium.io/v2", "CiliumEgressGatewayPolicy"), true);
  assert.equal(isUnreadPolicy("cilium.io/v2", "CiliumNode"), false);
  assert.equal(isUnreadPolicy("kyverno.io/v1", "ClusterPolicy"), false);
});
