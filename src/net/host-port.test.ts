import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPortText } from "./host-port.ts";

for (const [host, port, text] of [
  ["10.0.0.1", 80, "10.0.0.1:80"],
  ["fd00::1", 80, "[fd00::1]:80"],
  ["example.com", "443", "example.com:443"],
  ["", 9100, ":9100"],
] as const)
  test(`"${host}" and ${port} are "${text}"`, () => assert.equal(hostPortText(host, port), text));
