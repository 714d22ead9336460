import assert from "node:assert/strict";
import { test } from "node:test";
import { prefix } from "../../net/prefix.ts";
import { nodeCidr } from "./node-cidrs.ts";

test("nodeCidr() gives each node its part of both families", () => {
  const sizes = { v4: 24, v6: 64 };
  assert.equal(nodeCidr(prefix("10.244.0.0/16"), 1, sizes).text, "10.244.1.0/24");
  assert.equal(nodeCidr(prefix("10.244.0.0/16"), 255, sizes).text, "10.244.255.0/24");
  assert.equal(nodeCidr(prefix("fd00:10:244::/48"), 3, sizes).text, "fd00:10:244:3::/64");
  assert.throws(
    () => nodeCidr(prefix("10.244.0.0/16"), 256, sizes),
    /has no part of length 24 for node 256: it has 256/,
  );
  assert.throws(() => nodeCidr(prefix("10.244.0.0/28"), 0, sizes), /it has 0/);
});
