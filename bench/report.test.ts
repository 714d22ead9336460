import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson, toText } from "./report.ts";
import { summarize } from "./stats.ts";

const rows = summarize(
  [{ name: "cni.add.p50", unit: "ms" }],
  [
    { row: "cni.add.p50", subject: "twill", round: 0, value: 2.1 },
    { row: "cni.add.p50", subject: "bridge+host-local", round: 0, value: 8.4 },
  ],
);

test("JSON has the agreed keys and nothing else", () => {
  assert.deepEqual(JSON.parse(toJson(rows)), {
    rows: [
      {
        name: "cni.add.p50",
        unit: "ms",
        twill: 2.1,
        peers: { "bridge+host-local": 8.4 },
        ratios: { "bridge+host-local": 0.25 },
        rounds: 1,
      },
    ],
  });
});

test("the table names every subject with its range and Twill's ratio", () => {
  assert.equal(
    toText(rows),
    [
      "cni.add.p50 (ms, 1 rounds)",
      "  twill                  2.1  2.1..2.1",
      "  bridge+host-local      8.4  8.4..8.4           twill is 0.25 of it",
    ].join("\n"),
  );
});
