import assert from "node:assert/strict";
import { test } from "node:test";
import { TWILL_OBJECT } from "../../kernel/fake/object.ts";
import { DEFAULT_LIMITS } from "../../policy/room.ts";
import { limitsOf } from "./policy-limits.ts";

const usual = [...TWILL_OBJECT.maps].map(([name, { maxEntries }]) => ({ name, maxEntries }));

test("the maps' sizes by default hold two agents' tables of the default limits", () => {
  assert.deepEqual(limitsOf(usual), DEFAULT_LIMITS);
  assert.deepEqual(limitsOf([]), DEFAULT_LIMITS);
});

test("smaller maps hold less, and larger ones do not let one class take all of them", () => {
  const sized = (sets: number, peers: number) => [
    { name: "policy_sets", maxEntries: sets },
    { name: "policy_peers", maxEntries: peers },
  ];
  assert.deepEqual(limitsOf(sized(100, 51)), {
    ...DEFAULT_LIMITS,
    ...{ setRows: 50, setRowsPerClass: 50, peerRows: 25 },
  });
  const large = { ...DEFAULT_LIMITS, setRows: 1 << 23, setRowsPerClass: 65_536, peerRows: 8 };
  assert.deepEqual(limitsOf(sized(1 << 24, 16)), large);
  const more = [
    { name: "identities", maxEntries: 100 },
    { name: "policy_classes", maxEntries: 31 },
  ];
  assert.deepEqual(limitsOf(more), { ...DEFAULT_LIMITS, identityRows: 50, classes: 15 });
});
