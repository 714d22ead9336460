/** The shop's policies, held to what they are for: `node --test` runs it, in CI as well. */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { networkPolicy, type PolicyWorld, pod, policyWorldFromFiles } from "twill/policy";

const MANIFESTS = fileURLToPath(new URL("shop", import.meta.url));

describe("the shop's policies", () => {
  let shop: PolicyWorld;
  before(async () => {
    shop = await policyWorldFromFiles([MANIFESTS]);
  });

  it("let the web pods query the database, and nobody else", () => {
    shop.assertAllowed("shop/web", "shop/db", "postgres/TCP", "NetworkPolicy shop/db");
    shop.assertDenied(["monitoring/*", "203.0.113.7"], "shop/db", "5432/TCP");
  });

  it("let monitoring read metrics, whatever teams write", () => {
    const closed = shop.with(networkPolicy("shop/closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }));
    closed.assertAllowed("monitoring/prometheus", "shop/*", "9100/TCP", "ClusterNetworkPolicy monitoring");
  });

  it("say why a new pod is kept out of the database, and what would let it in", () => {
    const cart = shop.with(pod("shop/cart", { labels: { app: "cart" } }));
    const answer = cart.explain("shop/cart", "shop/db", "5432/TCP");
    assert.equal(answer.isAllowed, false);
    assert.deepEqual(answer.ingress?.isolatedBy, ["NetworkPolicy shop/db"]);
    assert.match(
      answer.ingress?.nearMisses[0] ?? "",
      /spec\.ingress\[0\] of NetworkPolicy shop\/db allows this traffic/,
    );
  });
});
