import assert from "node:assert/strict";
import { test } from "node:test";
import { prefix } from "../net/prefix.ts";
import { routerAddr } from "./router-addr.ts";

test("the router has the first address after the network's, or the only one", () => {
  assert.equal(routerAddr(prefix("10.244.1.0/24")).text, "10.244.1.1");
  assert.equal(routerAddr(prefix("fd00:10:244:1::/64")).text, "fd00:10:244:1::1");
  assert.equal(routerAddr(prefix("10.244.1.7/32")).text, "10.244.1.7");
});
