import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeIdentityEntry,
  decodeIdentityKey,
  decodePolicyClass,
  decodePolicySetKey,
  decodePolicyVerdict,
  PolicyFlag,
} from "../net/gen/bpf-maps.ts";
import { prefix } from "../net/prefix.ts";
import { classMapRow, identityMapRow, setMapRows } from "./policy-rows.ts";

test("an identity's prefix stands behind its bank", () => {
  for (const [text, bits] of [
    ["10.0.0.0/8", 32 + 96 + 8],
    ["0.0.0.0/0", 32 + 96],
    ["fd00::/48", 32 + 48],
    ["::/0", 32],
  ] as const) {
    const row = identityMapRow(7, { prefix: prefix(text), identity: 300 });
    const key = decodeIdentityKey(row.key);
    assert.deepEqual([key.prefixBits, key.bank], [bits, 7], text);
    assert.equal(decodeIdentityEntry(row.value).identity, 300);
  }
});

test("a class names its sets and its bank", () => {
  const { value } = classMapRow(9, 3, { set4: 1, set6: 2 });
  assert.deepEqual(decodePolicyClass(value), { set4: 1, set6: 2, bank: 9 });
});

test("a verdict says what decides, what logs and what staged policies would do", () => {
  const staged = { isAllowed: true, rule: 6 };
  const [row] = setMapRows(5, [
    { prefixLength: 56, protocol: 6, port: 0x1f00, verdict: { isAllowed: false, rule: 4, logRule: 2, staged } },
  ]);
  assert.ok(row !== undefined);
  assert.deepEqual(decodePolicySetKey(row.key), { prefixBits: 56, set: 5, protocol: 6, port: 0x1f00 });
  const flags = PolicyFlag.staged | PolicyFlag.stagedAllowed;
  assert.deepEqual(decodePolicyVerdict(row.value), { rule: 4, logRule: 2, stagedRule: 6, flags });
});
