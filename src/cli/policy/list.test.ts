/** `twill policy list` and `get`, in processes of their own. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));

test("list has a line for each policy, in the order of judgement", async () => {
  const { code, out } = await runCli(["policy", "list", SHOP]);
  assert.equal(code, 0);
  assert.equal(
    out,
    `POLICY                           TIER     ORDER  MODE     SELECTS  ISOLATES        RULES  NOT ENFORCED
ClusterNetworkPolicy monitoring  admin    10     enforce  3        -               1      -
NetworkPolicy shop/db            default  1000   enforce  1        ingress         2      -
NetworkPolicy shop/web           default  1000   enforce  1        ingress,egress  4      -
`,
  );
});

test("get says how each rule was understood", async () => {
  const { out } = await runCli(["policy", "get", "shop/db", "--dir", SHOP]);
  assert.equal(
    out,
    `NetworkPolicy shop/db
tier      default, order 1000
selects   shop/db
isolates  ingress
  spec.ingress "from the pod's own node": allow all
    from entity host
  spec.ingress[0]: allow TCP postgres
    from (entity pod and labels namespace kubernetes.io/metadata.name == "shop" and labels pod app == "web")
`,
  );
});

test("what is asked for and not enforced, what is staged, and what is refused", async () => {
  const dir = await mkdtemp("/tmp/twill-list-");
  try {
    await writeFile(
      `${dir}/all.yaml`,
      `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { namespace: shop, name: l7 }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress: [{ toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ method: GET }] } }] }]
---
apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: { name: later }
spec: { selector: all(), order: 7 }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: bad }
spec: {}
extra: 1
`,
    );
    const list = JSON.parse((await runCli(["policy", "list", dir, "--json"])).out);
    assert.deepEqual(
      list.policies.map((p: { object: string; mode: string; order: number }) => [p.object, p.mode, p.order]),
      [
        ["StagedGlobalNetworkPolicy later", "stage", 7],
        ["CiliumNetworkPolicy shop/l7", "enforce", 1000],
        // Refused: it stands for what closes.
        ["NetworkPolicy shop/bad", "enforce", 1000],
      ],
    );
    assert.deepEqual(list.refused[0].path, "extra");
    assert.equal(list.policies[1].notEnforced[0].path, "spec.ingress[0]");
    const got = await runCli(["policy", "get", "CiliumNetworkPolicy", "shop/l7", "--dir", dir]);
    assert.match(got.out, /selects {3}nothing that is there\n/);
    assert.match(got.out, /\nnot enforced spec\.ingress\[0\]: .*http/);
    assert.match(
      got.err,
      /1 object is refused; policies of a namespace close what they may select, sets keep what can be read, others take no part:\n.*all\.yaml#3: NetworkPolicy shop\/bad: extra: Unknown field/,
    );
    const none = await runCli(["policy", "get", "shop/l8", "--dir", dir]);
    assert.equal(none.code, 2);
    assert.match(none.err, /There is no policy "shop\/l8": did you mean "shop\/l7"\?/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
