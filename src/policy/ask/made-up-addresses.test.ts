import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../../net/addr.ts";
import { WORLD } from "../testing/dialect-world.ts";
import { withAddresses } from "./made-up-addresses.ts";

const [web, db, bank] = WORLD.pods;

test("only pods that could have an address and do not are given one, in the order of their names", () => {
  const none = { podIps: [] };
  const all = [
    { ...web, ...none },
    { ...bank, ...none },
    { ...db, ...none, isHostNetwork: true },
    { ...db, name: "other", podIps: [addr("10.0.0.1")] },
    { ...db, name: "gone", ...none, phase: "Failed" as const },
  ];
  const { pods, madeUp } = withAddresses(all, []);
  assert.deepEqual(madeUp, ["bank/web", "shop/web"]);
  assert.deepEqual(
    [...pods].map(([key, p]) => `${key} ${p.podIps.map((a) => a.text).join(",")}`),
    ["bank/web 198.18.0.1", "shop/db ", "shop/gone ", "shop/other 10.0.0.1", "shop/web 198.18.0.2"],
  );
});

test("nodes show which families there are, where pods do not", () => {
  const { pods } = withAddresses([{ ...web, podIps: [] }], [{ ...WORLD.nodes[0], internalIps: [addr("2001:db8::1")] }]);
  assert.deepEqual(
    pods.get("shop/web")?.podIps.map((a) => a.text),
    ["198.18.0.1", "2001:2::1"],
  );
});
