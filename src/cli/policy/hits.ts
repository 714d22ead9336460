/** `twill policy hits`: what policies did on this node, as its agent counts it. */

import type { PolicyReport, PolicyReportObject, RuleReport } from "../../agent/policy/policy-report.ts";
import { nearest } from "../../base/nearest.ts";
import { ask } from "../client.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths } from "../options.ts";
import { formatTable } from "../table.ts";

/** Options of the command. */
export interface HitsOptions extends NodeOptions {
  readonly all?: boolean;
}

const HEADER = ["POLICY", "DIRECTION", "RULE", "ACTION", "HITS", "STAGED HITS"];

function isUsed(r: RuleReport): boolean {
  return r.hits.packets + r.stagedHits.packets > 0;
}

/** An end that several policies share counts for all of them together: that is said, so that nobody adds it up. */
function pathText(r: RuleReport): string {
  const others = r.isolatedBy.length - 1;
  const name = r.name === "" ? "" : ` "${r.name}"`;
  return others > 0 ? `${r.path} (with ${others} more)` : `${r.path}${name}`;
}

function rows(o: PolicyReportObject, isWanted: (r: RuleReport) => boolean): string[][] {
  const byUse = (a: RuleReport, b: RuleReport) => b.hits.packets - a.hits.packets || a.number - b.number;
  return o.rules
    .filter(isWanted)
    .sort(byUse)
    .map((r, i) => [
      i === 0 ? o.object : "",
      r.direction,
      pathText(r),
      r.action,
      `${r.hits.packets}`,
      `${r.stagedHits.packets}`,
    ]);
}

/** The table; rules that decided nothing only with `all`. */
export function hitsText(objects: readonly PolicyReportObject[], all: boolean): string {
  const lines = objects.flatMap((o) => rows(o, all ? () => true : isUsed));
  if (lines.length > 0) return formatTable(HEADER, lines);
  return all
    ? "No pod of this node is under a policy.\n"
    : "No rule has decided anything on this node: --all shows them.\n";
}

/** The objects of a name: in full, without the kind, or without kind and namespace. @throws UsageError */
export function hitObjects(report: PolicyReport, what: string): readonly PolicyReportObject[] {
  if (what === "") return report.objects;
  const names = (o: PolicyReportObject) => [o.object, o.object.split(" ")[1] ?? "", o.name];
  const found = report.objects.filter((o) => names(o).includes(what));
  if (found.length > 0) return found;
  const near = nearest(
    what,
    report.objects.flatMap((o) => names(o)),
  );
  throw new UsageError(
    `There is no policy "${what}": ${near === undefined ? "twill policy hits --all lists them" : `did you mean "${near}"?`}`,
  );
}

/** Prints them. @param what words of a name; none: all policies */
export async function hitsCommand(io: Io, what: readonly string[], options: HitsOptions): Promise<void> {
  const report = await ask<PolicyReport>(controlSocket(await nodePaths(io, options)), "/v1/policy");
  const objects = hitObjects(report, what.join(" "));
  if (options.json) return printJson(io, { ...report, objects });
  io.out(hitsText(objects, options.all === true || what.length > 0));
  const problems = [
    ...(report.problem === undefined ? [] : [report.problem]),
    ...report.closed.map((c) => `${c.name} is closed for ${c.directions.join(" and ")}: ${c.reason}`),
  ];
  for (const text of problems) io.out(io.palette.warn(`! ${text}\n`));
}
