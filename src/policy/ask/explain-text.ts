/** An explanation for people. */

import type { ExplainedStep, Explanation, StepResult } from "../explain.ts";
import type { EndExplanation, FamilyExplanation, FlowExplanation } from "./explain-flow.ts";
import { trafficText } from "./traffic-text.ts";

/** How words are made to stand out. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
}

/** No colours. */
export const NO_PAINT: Paint = { good: String, bad: String, warn: String, dim: String };

/** How an explanation is written. */
export interface ExplainTextOptions {
  readonly paint: Paint;
  /** Also each rule that was not about the flow. */
  readonly isFull: boolean;
}

const RESULTS: Readonly<Record<StepResult, string>> = {
  decides: "decides",
  passes: "matches: on to the next tier",
  logs: "matches: logged, goes on",
  "other-peer": "about others",
  "other-traffic": "about other traffic",
  "not-reached": "not reached",
  staged: "staged: would count here",
  "goes-on": "goes on",
};
/** Rules in a row that came to nothing: beyond this many they become one line. */
const MAX_IDLE = 4;

const verdict = (isAllowed: boolean, paint: Paint) => (isAllowed ? paint.good("ALLOWED") : paint.bad("DENIED"));

function stepText(s: ExplainedStep, paint: Paint): string {
  const name = s.name === "" ? "" : ` "${s.name}"`;
  const where = s.policy === "" ? s.path : `${s.policy} ${s.path}${name}`;
  const closed = s.notEnforced.length === 0 ? "" : paint.warn(` (not enforced: ${s.notEnforced.join(", ")})`);
  const mark = s.result === "decides" ? "→" : " ";
  const line = `${mark} ${where}: ${s.action}, ${RESULTS[s.result]}`;
  const isQuiet = s.result === "other-peer" || s.result === "other-traffic" || s.result === "not-reached";
  return `${isQuiet ? paint.dim(line) : line}${closed}`;
}

const isIdle = (s: ExplainedStep) =>
  (s.result === "other-peer" || s.result === "other-traffic" || s.result === "not-reached") &&
  s.notEnforced.length === 0;

/** Runs of steps of one kind: those that came to nothing, and the others. */
function runsOf(steps: readonly ExplainedStep[]): ExplainedStep[][] {
  const runs: ExplainedStep[][] = [];
  for (const step of steps) {
    const last = runs.at(-1);
    const [before] = last ?? [];
    if (last !== undefined && before !== undefined && isIdle(before) && isIdle(step) && before.tier === step.tier)
      last.push(step);
    else runs.push([step]);
  }
  return runs;
}

function stepsText(steps: readonly ExplainedStep[], o: ExplainTextOptions): string[] {
  const lines: string[] = [];
  let tier: string | undefined;
  for (const run of runsOf(steps)) {
    const [first] = run;
    if (first === undefined) continue;
    if (first.tier !== tier) lines.push(`    tier ${first.tier}`);
    tier = first.tier;
    if (o.isFull || run.length <= MAX_IDLE) {
      lines.push(...run.map((s) => `    ${stepText(s, o.paint)}`));
      continue;
    }
    const policies = new Set(run.map((s) => s.policy)).size;
    const text = `  … ${run.length} rules of ${policies} ${policies === 1 ? "policy" : "policies"} that are not about this flow or not reached`;
    lines.push(`    ${o.paint.dim(text)}`);
  }
  return lines;
}

function sideText(side: EndExplanation, e: Explanation, o: ExplainTextOptions): string[] {
  const because = e.because.replace(/^(ingress|egress) /, "");
  const near = e.nearMisses.map((n) => `      ${n}`);
  return [
    `  ${e.direction} of ${side.who}: ${verdict(e.isAllowed, o.paint)}, ${because}`,
    ...stepsText(e.steps, o),
    `    To change it: ${e.toChange}`,
    ...(near.length === 0 ? [] : ["    Near to it:", ...near]),
  ];
}

function familyText(f: FamilyExplanation, o: ExplainTextOptions): string[] {
  const sides = [f.egress, f.ingress].flatMap((side) =>
    side.explanation === undefined ? [] : sideText(side, side.explanation, o),
  );
  const staged = `  With staged policies enforced: ${verdict(f.isAllowedWithStaged, o.paint)}`;
  return [...sides, ...(f.isAllowedWithStaged === f.isAllowed ? [] : [staged])];
}

/** The explanation, each line ended. What both families have in common is said once. */
export function explainText(flow: FlowExplanation, o: ExplainTextOptions): string {
  const lines = [`${flow.from.name} → ${flow.to.name}  ${trafficText(flow.traffic)}`];
  const bodies = flow.families.map((f) => familyText(f, o).join("\n"));
  const isSame = new Set(bodies).size === 1 && new Set(flow.families.map((f) => f.isAllowed)).size === 1;
  for (const [i, f] of flow.families.entries()) {
    lines.push(`IPv${f.family}  ${f.from.text} → ${f.to.text}  ${verdict(f.isAllowed, o.paint)}`);
    const isShown = !isSame || i === flow.families.length - 1;
    if (isShown && bodies[i] !== "") lines.push(bodies[i] ?? "");
  }
  if (flow.service !== undefined)
    lines.push(
      `  ${flow.to.name} is an address of Service ${flow.service}: packets are judged by the backend that they are given, not by it`,
    );
  if (flow.isInside) lines.push("  Both ends are the same: no packet leaves it, so nothing is judged");
  else if (bodies.every((b) => b === "")) lines.push("  No policy speaks of either end: nobody judges it");
  return `${lines.join("\n")}\n`;
}

/** The explanation as programs read it. */
export function explainJson(flow: FlowExplanation): object {
  const end = (e: FlowExplanation["from"]) => ({ name: e.name, kind: e.kind, addresses: e.addrs.map((a) => a.text) });
  return {
    from: end(flow.from),
    to: end(flow.to),
    traffic: trafficText(flow.traffic),
    verdict: flow.isAllowed ? "allowed" : "denied",
    isInside: flow.isInside,
    service: flow.service ?? null,
    families: flow.families.map((f) => ({
      family: f.family,
      from: f.from.text,
      to: f.to.text,
      verdict: f.isAllowed ? "allowed" : "denied",
      verdictWithStaged: f.isAllowedWithStaged ? "allowed" : "denied",
      egress: f.egress.explanation ?? null,
      ingress: f.ingress.explanation ?? null,
    })),
  };
}
