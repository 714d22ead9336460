/** The body of `GET /v1/policy`: every policy with its rules on this node, how often they decided, and what is wrong. */

import type { Issue } from "../../base/issue.ts";
import { notEnforced } from "../../policy/ask/not-enforced.ts";
import { refKey, refText } from "../../policy/order.ts";
import type { Action, Direction, Mode, Policy, PolicyRef } from "../../policy/rule.ts";
import type { RuleInfo } from "../../policy/table.ts";
import type { MapStatus } from "../status/status.ts";
import { addHits, type HitCount, NO_HITS, type RuleHits } from "./policy-hits.ts";
import { type PolicySources, type PolicyStatus, policyStatus } from "./policy-status.ts";

/** One rule that pods of this node are under. */
export interface RuleReport {
  /** As verdicts and events have it. */
  readonly number: number;
  readonly direction: Direction;
  /** As `spec.ingress[0].from[1]`; `end of tier default` for what no rule allows. */
  readonly path: string;
  /** That the object gives it, or `""`. */
  readonly name: string;
  readonly action: Action;
  /** At a tier's end: all objects that isolate there. Its hits are theirs together, and stand at each of them. */
  readonly isolatedBy: readonly string[];
  readonly hits: HitCount;
  readonly stagedHits: HitCount;
}

/** One object. */
export interface PolicyReportObject extends PolicyRef {
  /** `NetworkPolicy default/web`. */
  readonly object: string;
  readonly tier: string;
  readonly mode: Mode;
  /** What it asks for and is not enforced, by place: it closes what it would open. */
  readonly notEnforced: readonly Issue[];
  /** Empty: it selects no pod of this node, or none of its rules can decide anything. */
  readonly rules: readonly RuleReport[];
  readonly hits: HitCount;
  readonly stagedHits: HitCount;
}

/** An object that is refused. */
export interface PolicyProblem {
  readonly object: string;
  readonly issues: readonly Issue[];
}

/** See the file's comment. */
export interface PolicyReport extends PolicyStatus {
  readonly objects: readonly PolicyReportObject[];
  /** Of all objects that could not be read, other kinds than policies included. */
  readonly problems: readonly PolicyProblem[];
  /** Fill of the maps that hold policy. */
  readonly maps: readonly MapStatus[];
}

/** What a report is made from. */
export interface ReportSources extends PolicySources {
  readonly hits: ReadonlyMap<number, RuleHits>;
  readonly maps: readonly MapStatus[];
}

function ruleReport(number: number, info: RuleInfo, { decided, staged }: RuleHits): RuleReport {
  return {
    number,
    direction: info.direction,
    path: info.path,
    name: info.name,
    action: info.action,
    isolatedBy: info.isolatedBy.map(refText),
    hits: decided,
    stagedHits: staged,
  };
}

/** Rules by the key of each object that they are of. */
function rulesByObject(
  rules: ReadonlyMap<number, RuleInfo>,
  hits: ReadonlyMap<number, RuleHits>,
): Map<string, RuleReport[]> {
  const byObject = new Map<string, RuleReport[]>();
  for (const [number, info] of rules) {
    const report = ruleReport(number, info, hits.get(number) ?? NO_HITS);
    const owners = info.ref === undefined ? info.isolatedBy : [info.ref];
    for (const key of new Set(owners.map(refKey))) {
      const reports = byObject.get(key);
      if (reports === undefined) byObject.set(key, [report]);
      else reports.push(report);
    }
  }
  return byObject;
}

function objectReport(policy: Policy, unkept: readonly Issue[], rules: readonly RuleReport[]): PolicyReportObject {
  const { ref, tier, mode } = policy;
  const sum = (of: (r: RuleReport) => HitCount) => rules.map(of).reduce(addHits, NO_HITS.decided);
  return {
    ...ref,
    object: refText(ref),
    tier,
    mode,
    notEnforced: unkept,
    rules,
    hits: sum((r) => r.hits),
    stagedHits: sum((r) => r.stagedHits),
  };
}

/** The report. */
export function policyReport(sources: ReportSources): PolicyReport {
  const { state, hits, problems, maps } = sources;
  const policies = state?.policies ?? [];
  const rules = rulesByObject(state?.tables.rules ?? new Map(), hits);
  const unkept = new Map<string, Issue[]>();
  for (const { ref, path, what } of notEnforced(policies)) {
    const issues = unkept.get(refKey(ref)) ?? [];
    unkept.set(refKey(ref), [...issues, { path, message: `Not enforced: ${what.join(", ")}` }]);
  }
  // Some objects are several policies.
  const first = new Map<string, Policy>();
  for (const p of policies) if (!first.has(refKey(p.ref))) first.set(refKey(p.ref), p);
  return {
    ...policyStatus(sources),
    objects: Array.from(first, ([key, policy]) => objectReport(policy, unkept.get(key) ?? [], rules.get(key) ?? [])),
    problems: problems.map((p) => ({ object: p.subject, issues: p.issues })),
    maps: maps.filter((m) => m.name.startsWith("policy_") || m.name === "identities"),
  };
}
