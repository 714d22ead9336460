/** `twill policy lint`, in a process of its own. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));
const IN_VAIN = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: typo }
spec: { podSelector: { matchLabels: { app: dbx } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: more }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: nobody } } }]
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 5432 }]
    - ports: [{ port: grpc }]
    - from: [{ ipBlock: { cidr: 203.0.113.0/24 } }]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: lost }
spec: { tier: nowhere, selector: app == 'nobody' }
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: { name: early }
spec: { order: 1 }
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { namespace: shop, name: calico }
spec:
  tier: early
  selector: app == 'db'
  ingress:
    - { action: Pass, source: { nets: [10.0.0.0/8] } }
    - { action: Pass }
    - { action: Deny, protocol: UDP, source: { nets: [203.0.113.0/25] } }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { namespace: shop, name: dns }
spec:
  endpointSelector: { matchLabels: { app: db } }
  enableDefaultDeny: { egress: false }
  egress: [{ toFQDNs: [{ matchName: example.com }] }]
`;

test("rules that are needed are no findings", async () => {
  const { code, out } = await runCli(["policy", "lint", SHOP]);
  assert.deepEqual([code, out], [0, "Nothing is said in vain\n"]);
});

test("what is said in vain: where, why, and what stands before it", async () => {
  const dir = await mkdtemp("/tmp/twill-lint-");
  try {
    await writeFile(`${dir}/more.yaml`, IN_VAIN);
    const { code, out } = await runCli(["policy", "lint", SHOP, dir]);
    assert.equal(code, 1);
    const lines = out.trimEnd().split("\n");
    assert.match(lines[0]!, /^not-enforced CiliumNetworkPolicy shop\/dns: spec\.egress\[0\]: toFQDNs/);
    assert.match(
      lines[1]!,
      /^never-matches CiliumNetworkPolicy shop\/dns: spec\.egress\[0\]: Matches nothing, since it asks for what is not enforced/,
    );
    assert.deepEqual(lines.slice(2), [
      "selects-nothing GlobalNetworkPolicy lost: spec: No pod and no node is selected",
      'tier-missing GlobalNetworkPolicy lost: spec.tier: There is no tier "nowhere": the policy stands where the tier default stands',
      "never-matches NetworkPolicy shop/more: spec.ingress[0]: Matches nothing that is there: no pod, node or network is such a source",
      "shadowed NetworkPolicy shop/more: spec.ingress[1]: Not needed: spec.ingress[0] of NetworkPolicy shop/db does the same",
      "never-matches NetworkPolicy shop/more: spec.ingress[2]: Matches nothing that is there: no pod, node or network is such a source, or no port is named grpc",
      "selects-nothing NetworkPolicy shop/typo: spec: No pod is selected",
      "shadowed NetworkPolicy.projectcalico.org shop/calico: spec.ingress[2]: Never decides: spec.ingress[1] of NetworkPolicy.projectcalico.org shop/calico stands before it",
      "9 findings",
    ]);
  } finally {
    await rm(dir, { recursive: true });
  }
});
