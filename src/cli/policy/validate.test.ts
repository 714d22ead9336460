/** `twill policy validate`, in a process of its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";
import { INVALID_POLICIES, invalidObject } from "./testdata/invalid.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));

interface RefusedLine {
  readonly file: string;
  readonly place: string;
  readonly kind: string;
  readonly name: string;
  readonly path: string;
  readonly message: string;
}

test("valid files", async () => {
  const { code, out } = await runCli(["policy", "validate", SHOP]);
  assert.deepEqual([code, out], [0, "10 valid, 0 refused, 0 of other kinds\n"]);
});

test("each of 50 invalid policies of all dialects is refused with object, path, value and reason", async () => {
  assert.ok(INVALID_POLICIES.length >= 50);
  const documents = INVALID_POLICIES.map((p, i) => JSON.stringify(invalidObject(p, `policy-${i}`)));
  const { code, out } = await runCli(["policy", "validate", "--json", "-"], documents.join("\n---\n"));
  assert.equal(code, 1);
  const { valid, refused } = JSON.parse(out) as { valid: number; refused: RefusedLine[] };
  assert.equal(valid, 0);
  for (const [i, [what, kind, , path, names]] of INVALID_POLICIES.entries()) {
    const own = refused.filter((r) => r.place === String(i + 1));
    const hit = own.find((r) => r.path === path && r.message.includes(names));
    assert.ok(hit !== undefined, `${what}: ${path} with "${names}" in ${JSON.stringify(own)}`);
    assert.equal(hit.kind, kind.replace(/^Calico/, ""));
    assert.match(hit.name, kind === "BaselineAdminNetworkPolicy" ? /^default$/ : new RegExp(`(^|/)policy-${i}$`));
  }
});

test("for people: where, what, and how much is well; files that are no YAML and kinds that are none", async () => {
  const text = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: a, namespace: shop }
spec: { podSelector: {}, ingress: [{ ports: [{ port: 0 }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolcy
metadata: { name: b }
---
{ apiVersion: apps/v1, kind: Deployment, metadata: { name: c } }
---
{ apiVersion: cilium.io/v2, kind: CiliumEgressGatewayPolicy, metadata: { name: d } }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: e, namespace: shop }
spec:
  endpointSelector: {}
  egress: [{ toFQDNs: [{ matchName: example.com }] }]
---
{ apiVersion: twill.dev/v1alpha1, kind: PolicyTest, metadata: { name: f } }
---
{ not yaml
`;
  const { code, out } = await runCli(["policy", "validate", "-"], text);
  assert.equal(code, 1);
  const lines = out.trimEnd().split("\n");
  assert.equal(
    lines[0],
    'refused -#2: NetworkPolcy b: kind: Unknown kind "NetworkPolcy": did you mean "NetworkPolicy"?',
  );
  assert.match(lines[1]!, /^refused -#7: Not YAML: /);
  assert.match(lines[2]!, /^refused -#1: NetworkPolicy shop\/a: spec\.ingress\[0\]\.ports\[0\]\.port: 0 is not/);
  assert.equal(lines[3], "refused -#6: PolicyTest f: tests: At least one is required");
  assert.match(lines[4]!, /^not enforced CiliumNetworkPolicy shop\/e: spec\.egress\[0\]: toFQDNs/);
  assert.equal(lines[5], "not enforced -#4: CiliumEgressGatewayPolicy d: This kind is not read");
  assert.equal(lines[6], "1 valid, 4 refused, 2 of other kinds");
});

test("of two objects with one name the second is refused", async () => {
  const one = "{ apiVersion: v1, kind: Namespace, metadata: { name: a } }\n";
  const { code, out } = await runCli(["policy", "validate", "-"], `${one}---\n${one}`);
  assert.equal(code, 1);
  assert.match(out, /^refused -#2: Namespace a: metadata\.name: "a" stands in "-#1" already\n1 valid, 1 refused/);
});
