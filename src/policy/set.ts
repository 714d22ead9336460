/** The answer of one class to one peer, over all protocols and ports, as rows of the table `sets`. */

import { remembered } from "../base/remembered.ts";
import type { Family } from "../net/addr.ts";
import { candidatesFor, isAbout } from "./candidates.ts";
import { type Fit, fitOf, type Piece } from "./fit.ts";
import { type Step, walk } from "./order.ts";
import type { NamedPort, Rule } from "./rule.ts";
import type { SetRow, Verdict } from "./table.ts";
import {
  addIcmpCuts,
  addPortCuts,
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
type Pool = Map<number | string, Verdict>;

const FEW_STEPS = 12;

/** The step with its rule as the tables can hold it: the same object for the same step. */
const closedStep = remembered((step: Step): Step => {
  return needsClosing(step) ? { ...step, rule: { ...step.rule, ...closedRule(step.rule) } } : step;
});

/** The steps as the tables can hold them: those that they are made from, where that makes no difference. */
export function closedSteps(steps: readonly Step[]): readonly Step[] {
  return steps.some(needsClosing) ? steps.map(closedStep) : steps;
}

function needsClosing(step: Step): step is Step & { kind: "rule" } {
  return step.kind === "rule" && asksSourcePorts(step.rule);
}

/** Nearly all verdicts are a rule's and nothing else: these need no text. */
function poolKey(v: Verdict): number | string {
  return v.logRule === 0 && v.staged === undefined ? 2 * v.rule + (v.isAllowed ? 1 : 0) : verdictText(v);
}

function verdictAt(input: SetInput, steps: Iterable<Step>, hasStaged: boolean, at: TrafficPoint, pool: Pool): Verdict {
  const matches = (step: Step & { kind: "rule" }) => {
    for (const t of step.rule.traffic) if (trafficMatches(t, at, input.names)) return true;
    return false;
  };
  const number = (step: Step | undefined) => (step === undefined ? 0 : input.numberOf(step));
  const real = walk(steps, matches);
  const rule = number(real.by);
  const would = hasStaged ? walk(steps, matches, true) : real;
  const isSame = would === real || (would.isAllowed === real.isAllowed && number(would.by) === rule);
  const verdict: Verdict = {
    isAllowed: real.isAllowed,
    rule,
    logRule: number(real.logged),
    staged: isSame ? undefined : { isAllowed: would.isAllowed, rule: number(would.by) },
  };
  const key = poolKey(verdict);
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

const WHOLE: readonly number[] = [0];

/** Where the answer can change along the ports of a protocol. Most protocols are what no step tells ports of. */
function portCuts({ family, names }: SetInput, steps: readonly Step[], protocol: number): readonly number[] {
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(protocol);
  if (!hasPorts && protocol !== icmpProtocol(family)) return WHOLE;
  let cuts: Set<number> | undefined;
  for (const step of steps) {
    if (step.kind === "end") continue;
    for (const t of step.rule.traffic) {
      const tells = hasPorts ? (t.ports ?? t.notPorts) : (t.icmp ?? t.notIcmp);
      if (tells === undefined || !isAbout(t, protocol, family)) continue;
      cuts ??= new Set(WHOLE);
      if (hasPorts) addPortCuts(cuts, t, protocol, names);
      else addIcmpCuts(cuts, t, family);
    }
  }
  return cuts === undefined ? WHOLE : sorted(cuts, 0xffff);
}

/** Most steps are about one protocol, and most protocols are what no step is about. */
function stepsAbout(all: readonly Step[], protocol: number, family: Family): readonly Step[] {
  const steps: Step[] = [];
  for (const step of all) if (step.kind === "end" || isRuleAbout(step.rule, protocol, family)) steps.push(step);
  return steps;
}

function isRuleAbout({ traffic }: Rule, protocol: number, family: Family): boolean {
  for (const t of traffic) if (isAbout(t, protocol, family)) return true;
  return false;
}

/** The pieces of one protocol along its ports. */
function portPieces(input: SetInput, all: readonly Step[], protocol: number, pool: Pool): Piece<Verdict>[] {
  const { family, names } = input;
  const steps = stepsAbout(all, protocol, family);
  const firsts = portCuts(input, steps, protocol);
  const hasStaged = steps.some((s) => s.isStaged);
  // A few steps are asked as quickly as it is found out which of them can match, and once at least all are.
  const candidates =
    steps.length > FEW_STEPS && firsts.length > 1 ? candidatesFor(steps, firsts, protocol, names, family) : undefined;
  const out: Piece<Verdict>[] = [];
  let last: Verdict | undefined;
  for (let piece = 0; piece < firsts.length; piece++) {
    const first = firsts[piece] as number;
    const some = candidates?.at(piece) ?? steps;
    // Asked twice where something is staged: an array can be walked again.
    const able = hasStaged ? [...some] : some;
    const value = verdictAt(input, able, hasStaged, { family, protocol, port: first }, pool);
    if (value !== last) out.push({ first, value });
    last = value;
  }
  return out;
}

/** Protocols at which runs begin, whatever is asked: those that are told apart further, and what follows them. */
const USUAL_CUTS: Readonly<Record<Family, readonly number[]>> = { 4: usualCuts(4), 6: usualCuts(6) };

function usualCuts(family: Family): number[] {
  const cuts = new Set(WHOLE);
  for (const p of [...PROTOCOLS_WITH_PORTS, icmpProtocol(family)]) cuts.add(p).add(p + 1);
  return sorted(cuts, 255);
}

/** First protocols of runs in which all behave alike. */
function protocolCuts({ family }: SetInput, steps: readonly Step[]): readonly number[] {
  const usual = USUAL_CUTS[family];
  let cuts: Set<number> | undefined;
  for (const step of steps) {
    if (step.kind === "end") continue;
    for (const { protocols, notProtocols } of step.rule.traffic)
      for (const ranges of [protocols, notProtocols])
        for (const { first, last } of ranges ?? []) {
          if (usual.includes(first) && usual.includes(last + 1)) continue;
          cuts ??= new Set(usual);
          cuts.add(first).add(last + 1);
        }
  }
  return cuts === undefined ? usual : sorted(cuts, 255);
}

/** The value that most protocols can have by default. */
function commonest(runs: readonly { readonly count: number; readonly fit: Fit<Verdict> }[]): Verdict {
  const counts = new Map<Verdict, number>();
  for (const { count, fit } of runs) for (const value of fit.best) counts.set(value, (counts.get(value) ?? 0) + count);
  let best: [Verdict, number] | undefined;
  for (const entry of counts) if (best === undefined || entry[1] > best[1]) best = entry;
  if (best === undefined) throw new RangeError("A set needs at least one protocol");
  return best[0];
}

/** The rows, fewest possible for each protocol; one of prefix length 32 is always there. */
export function buildSet(input: SetInput): SetRow[] {
  const pool: Pool = new Map();
  const steps = closedSteps(input.steps);
  const cuts = protocolCuts(input, steps);
  const runs = cuts.map((first, i) => ({
    first,
    count: (cuts[i + 1] ?? 256) - first,
    fit: fitOf(portPieces(input, steps, first, pool)),
  }));
  const general = commonest(runs);
  const rows: SetRow[] = [{ prefixLength: 32, protocol: 0, port: 0, verdict: general }];
  for (const { first, count, fit } of runs) {
    const fitted = fit.prefixes(general);
    for (let protocol = first; protocol < first + count && fitted.length > 0; protocol++)
      for (const f of fitted) rows.push({ prefixLength: 48 + f.length, protocol, port: f.bits, verdict: f.value });
  }
  return rows;
}
