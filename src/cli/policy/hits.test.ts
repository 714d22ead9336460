import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyReport, PolicyReportObject, RuleReport } from "../../agent/policy/policy-report.ts";
import { hitObjects, hitsText } from "./hits.ts";

const count = (packets: number) => ({ packets, bytes: packets * 60 });

function rule(number: number, path: string, hits: number, staged = 0, isolatedBy: string[] = []): RuleReport {
  const counts = { hits: count(hits), stagedHits: count(staged) };
  return { number, direction: "ingress", path, name: "", action: "deny", isolatedBy, ...counts };
}

function object(name: string, rules: readonly RuleReport[]): PolicyReportObject {
  const ref = { dialect: "kubernetes", kind: "NetworkPolicy", namespace: "default", name } as const;
  const rest = { tier: "default", mode: "enforce", notEnforced: [], hits: count(0), stagedHits: count(0) } as const;
  return { ...ref, ...rest, object: `NetworkPolicy default/${name}`, rules };
}

const WEB = object("web", [
  rule(1, "spec.ingress[0]", 0),
  rule(2, "spec.ingress[1]", 4),
  rule(3, "end of tier default", 9, 2, ["a", "b"]),
]);
const DB = object("db", [rule(4, "spec.ingress[0]", 0)]);

test("rules that decided, the busiest first, each object once", () => {
  assert.equal(
    hitsText([WEB, DB], false),
    `POLICY                     DIRECTION  RULE                               ACTION  HITS  STAGED HITS
NetworkPolicy default/web  ingress    end of tier default (with 1 more)  deny    9     2
                           ingress    spec.ingress[1]                    deny    4     0
`,
  );
});

test("all rules, where they are asked for", () => {
  assert.equal(hitsText([WEB, DB], true).split("\n").length, 6);
  assert.match(hitsText([DB], false), /No rule has decided anything .*--all/);
  assert.match(hitsText([], true), /No pod of this node/);
});

test("an object by its name", () => {
  const report = { objects: [WEB, DB] } as unknown as PolicyReport;
  for (const what of ["NetworkPolicy default/web", "default/web", "web"])
    assert.deepEqual(hitObjects(report, what), [WEB], what);
  assert.equal(hitObjects(report, "").length, 2);
  assert.throws(() => hitObjects(report, "wbe"), /There is no policy "wbe": did you mean "web"\?/);
});
