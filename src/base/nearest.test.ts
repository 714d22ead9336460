import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

const KNOWN = ["tunnel", "masquerade", "devices", "mtu", "ipam", "log"];

const CASES: readonly (readonly [word: string, expected: string | undefined])[] = [
  ["tunnel", "tunnel"],
  ["tunel", "tunnel"],
  ["tunnle", "tunnel"],
  ["TUNNEL", "tunnel"],
  ["device", "devices"],
  ["masqurade", "masquerade"],
  ["mut", "mtu"],
  ["lgo", "log"],
  ["banana", undefined],
  ["x", undefined],
  ["", undefined],
];

for (const [word, expected] of CASES)
  test(`"${word}" is near ${expected}`, () => assert.equal(nearest(word, KNOWN), expected));

test("endless words cost nothing", () => assert.equal(nearest("x".repeat(1_000_000), KNOWN), undefined));
