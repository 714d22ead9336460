/** The answer of one class to one peer, over all protocols and ports, as rows of the table `sets`. */

import type { Family } from "../net/addr.ts";
import { candidatesFor, isAbout } from "./candidates.ts";
import { bestDefaults, fitPrefixes, type Piece } from "./fit.ts";
import { type Step, walk } from "./order.ts";
import type { NamedPort, Rule } from "./rule.ts";
import type { SetRow, Verdict } from "./table.ts";
import {
  addIcmpCuts,
  addPortCuts,
  addProtocolCuts,
  asksSourcePorts,
  closedRule,
  icmpProtocol,
  PROTOCOLS_WITH_PORTS,
  type TrafficPoint,
  trafficMatches,
} from "./traffic.ts";

/** What the answer is made from. */
export interface SetInput {
  /** The class's steps whose peer matches, and the ends of tiers. */
  readonly steps: readonly Step[];
  readonly family: Family;
  /** Of the pod that the traffic goes to. */
  readonly names: readonly NamedPort[];
  /** Number of a deciding or logging step. */
  readonly numberOf: (step: Step) => number;
}

/** Verdicts by their content, so that equal ones are the same object. */
type Pool = Map<string, Verdict>;

const FEW_STEPS = 12;

const closed = new WeakMap<Rule, Rule>();

/** The step with its rule as the tables can hold it. */
function closedStep(step: Step): Step {
  if (step.kind === "end" || !asksSourcePorts(step.rule)) return step;
  let rule = closed.get(step.rule);
  if (rule === undefined) {
    rule = { ...step.rule, ...closedRule(step.rule) };
    closed.set(step.rule, rule);
  }
  return { ...step, rule };
}

function verdictAt(input: SetInput, steps: Iterable<Step>, hasStaged: boolean, at: TrafficPoint, pool: Pool): Verdict {
  const matches = (step: Step & { kind: "rule" }) => step.rule.traffic.some((t) => trafficMatches(t, at, input.names));
  const number = (step: Step | undefined) => (step === undefined ? 0 : input.numberOf(step));
  const real = walk(steps, matches);
  const would = hasStaged ? walk(steps, matches, true) : real;
  const isSame = would.isAllowed === real.isAllowed && number(would.by) === number(real.by);
  const verdict: Verdict = {
    isAllowed: real.isAllowed,
    rule: number(real.by),
    logRule: number(real.logged),
    staged: isSame ? undefined : { isAllowed: would.isAllowed, rule: number(would.by) },
  };
  const key = verdictText(verdict);
  const known = pool.get(key);
  if (known !== undefined) return known;
  pool.set(key, verdict);
  return verdict;
}

/** One line; equal verdicts have equal text. */
export function verdictText(v: Verdict): string {
  const staged = v.staged === undefined ? "" : ` staged ${v.staged.isAllowed ? "allow" : "deny"} ${v.staged.rule}`;
  return `${v.isAllowed ? "allow" : "deny"} ${v.rule} log ${v.logRule}${staged}`;
}

function sorted(cuts: ReadonlySet<number>, end: number): number[] {
  return [...cuts].filter((c) => c >= 0 && c <= end).sort((a, b) => a - b);
}

/** The pieces of one protocol along its ports. */
function portPieces(input: SetInput, all: readonly Step[], protocol: number, pool: Pool): Piece<Verdict>[] {
  const cuts = new Set([0]);
  const steps: Step[] = [];
  for (const step of all) {
    const about = step.kind === "end" ? [] : step.rule.traffic.filter((t) => isAbout(t, protocol, input.family));
    // Most steps are about one protocol, and most protocols are what no step is about.
    if (step.kind === "end" || about.length > 0) steps.push(step);
    for (const t of about) {
      if (PROTOCOLS_WITH_PORTS.includes(protocol)) addPortCuts(cuts, t, protocol, input.names);
      else if (protocol === icmpProtocol(input.family)) addIcmpCuts(cuts, t, input.family);
    }
  }
  const out: Piece<Verdict>[] = [];
  const firsts = sorted(cuts, 0xffff);
  const hasStaged = steps.some((s) => s.isStaged);
  // A few steps are asked as quickly as it is found out which of them can match, and once at least all are.
  const candidates =
    steps.length > FEW_STEPS && firsts.length > 1
      ? candidatesFor(steps, firsts, protocol, input.names, input.family)
      : undefined;
  for (const [piece, first] of firsts.entries()) {
    const some = candidates?.at(piece) ?? steps;
    // Asked twice where something is staged: an array can be walked again.
    const able = hasStaged ? [...some] : some;
    const value = verdictAt(input, able, hasStaged, { family: input.family, protocol, port: first }, pool);
    if (out.at(-1)?.value !== value) out.push({ first, value });
  }
  return out;
}

/** First protocols of runs in which all behave alike. */
function protocolCuts(input: SetInput, steps: readonly Step[]): number[] {
  const cuts = new Set([0]);
  for (const p of [...PROTOCOLS_WITH_PORTS, icmpProtocol(input.family)]) cuts.add(p).add(p + 1);
  for (const step of steps) if (step.kind === "rule") for (const t of step.rule.traffic) addProtocolCuts(cuts, t);
  return sorted(cuts, 255);
}

/** The value that most protocols can have by default. */
function commonest(runs: readonly { readonly count: number; readonly pieces: readonly Piece<Verdict>[] }[]): Verdict {
  const counts = new Map<Verdict, number>();
  for (const { count, pieces } of runs)
    for (const value of bestDefaults(pieces)) counts.set(value, (counts.get(value) ?? 0) + count);
  let best: [Verdict, number] | undefined;
  for (const entry of counts) if (best === undefined || entry[1] > best[1]) best = entry;
  if (best === undefined) throw new RangeError("A set needs at least one protocol");
  return best[0];
}

/** The rows, fewest possible for each protocol; one of prefix length 32 is always there. */
export function buildSet(input: SetInput): SetRow[] {
  const pool: Pool = new Map();
  const steps = input.steps.map(closedStep);
  const cuts = protocolCuts(input, steps);
  const runs = cuts.map((first, i) => ({
    first,
    count: (cuts[i + 1] ?? 256) - first,
    pieces: portPieces(input, steps, first, pool),
  }));
  const general = commonest(runs);
  const rows: SetRow[] = [{ prefixLength: 32, protocol: 0, port: 0, verdict: general }];
  for (const { first, count, pieces } of runs) {
    const fitted = fitPrefixes(pieces, general);
    for (let protocol = first; protocol < first + count && fitted.length > 0; protocol++)
      for (const f of fitted) rows.push({ prefixLength: 48 + f.length, protocol, port: f.bits, verdict: f.value });
  }
  return rows;
}
