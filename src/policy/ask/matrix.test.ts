import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../../net/addr.ts";
import { mixedCluster } from "../testing/mixed.ts";
import { judgeEnds } from "./flow.ts";
import { policyMatrix } from "./matrix.ts";
import { formatMatrix } from "./matrix-text.ts";
import { parseTraffics } from "./traffic-text.ts";
import type { WorldEnd } from "./world.ts";

test("formatMatrix() draws one row for each sender", () => {
  const text = formatMatrix({
    "80/TCP": { "ns/a": { "ns/a": "ok", outside: "timeout" }, outside: { "ns/a": "refused", outside: "ok" } },
  });
  assert.equal(text, "80/TCP   ✔ ok  ✘ refused  · timeout\nfrom     ns/a  outside\nns/a     ✔     ·\noutside  ✘     ✔");
});

const traffics = (text: string) => {
  const read = parseTraffics(text);
  assert.ok(read.ok);
  return read.value;
};

test("policyMatrix() has a cell for every two ends, with what judgeEnds() says", () => {
  const { world } = mixedCluster(7);
  const outside: WorldEnd = { ...world.endAt(addr("203.0.113.7")), name: "outside" };
  const ends = [...world.pods.values(), outside];
  const matrix = policyMatrix(world, { traffics: traffics("80/TCP,53/UDP,ICMP"), ends, denied: "timeout" });
  assert.ok(matrix.ok);
  assert.deepEqual(Object.keys(matrix.value), ["80/TCP", "53/UDP", "ICMP"]);
  const cells = Object.values(matrix.value).flatMap((rows) => Object.values(rows).flatMap((r) => Object.values(r)));
  assert.ok(cells.includes("ok") && cells.includes("timeout"));
  for (const from of ends)
    for (const to of ends) {
      const cell: string | undefined = matrix.value["80/TCP"]?.[from.name]?.[to.name];
      const verdicts = judgeEnds(world, from, to, { kind: "port", protocol: 6, port: 80 });
      if (from === outside && to === outside) assert.equal(cell, undefined);
      else if (verdicts.length === 1) assert.equal(cell, verdicts[0]?.isAllowed ? "ok" : "timeout");
    }
});

test("policyMatrix() answers for the asked ends only, and refuses what is too large", () => {
  const { world } = mixedCluster(7);
  const ends = [...world.pods.values()];
  const [a = "", b = ""] = world.pods.keys();
  const some = policyMatrix(world, { traffics: traffics("80"), ends, from: [a], to: [b], denied: "refused" });
  assert.ok(some.ok);
  assert.deepEqual(Object.keys(some.value["80/TCP"] ?? {}), [a]);
  const many = Array.from({ length: 1001 }, () => ends[0]!);
  const all = policyMatrix(world, { traffics: traffics("80,81,82,83"), ends: many, denied: "timeout" });
  assert.ok(!all.ok);
  assert.match(all.error, /would have 4008004 cells, at most 4000000 are made/);
});
