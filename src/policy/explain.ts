/** Why one end of a flow is let through or not: every step that was looked at, the one that decided, and what would change it. */

import { type Endpoint, infoText, stepInfo } from "./classes.ts";
import { isFailsafe } from "./failsafe.ts";
import { type OrderedTier, type Outcome, policiesFor, refText, type Step, walk, walkOf } from "./order.ts";
import { matchesPeer } from "./peer.ts";
import type { AddressFacts, Direction, Rule } from "./rule.ts";
import { asksSourcePorts, closedRule, type TrafficPoint, trafficMatches } from "./traffic.ts";

/** What became of a step. `not-reached`: an earlier one decided, or a `pass` skipped the rest of the tier. */
export type StepResult =
  | "decides"
  | "passes"
  | "logs"
  | "other-peer"
  | "other-traffic"
  | "not-reached"
  | "staged"
  | "goes-on";

/** One step of the walk. */
export interface ExplainedStep {
  readonly tier: string;
  /** `kind namespace/name`; `""` at a tier's end. */
  readonly policy: string;
  readonly path: string;
  readonly name: string;
  /** `allow`, `deny`, `pass`, `log`; at a tier's end what it does. */
  readonly action: string;
  readonly result: StepResult;
  /** What the object asks for and is not enforced, in words. */
  readonly notEnforced: readonly string[];
}

/** The say of one end. */
export interface Explanation {
  readonly direction: Direction;
  readonly isAllowed: boolean;
  /** What decided, in one line. */
  readonly because: string;
  readonly steps: readonly ExplainedStep[];
  /** Policies that isolate the endpoint in this direction. */
  readonly isolatedBy: readonly string[];
  /** What would turn the verdict around, in words. */
  readonly toChange: string;
  /** Of what is denied: rules that come near to allowing it, in words; at most five. */
  readonly nearMisses: readonly string[];
}

function resultOf(
  step: Step,
  state: { skipped: number; isDone: boolean },
  peer: AddressFacts,
  isTraffic: boolean,
): StepResult {
  if (state.isDone || step.tier === state.skipped) return "not-reached";
  if (step.kind === "end") return step.isStaged ? "staged" : step.of.end === "deny" ? "decides" : "goes-on";
  if (!matchesPeer(step.rule.peer, peer)) return "other-peer";
  if (!isTraffic) return "other-traffic";
  if (step.isStaged) return "staged";
  const { action } = closedRule(step.rule);
  return action === "pass" ? "passes" : action === "log" ? "logs" : "decides";
}

function explained(steps: readonly Step[], peer: AddressFacts, isTraffic: (step: Step) => boolean): ExplainedStep[] {
  const state = { skipped: -1, isDone: false };
  return steps.map((step) => {
    const result = resultOf(step, state, peer, isTraffic(step));
    if (result === "decides") state.isDone = true;
    if (result === "passes") state.skipped = step.tier;
    const unknown = { policy: "", name: "", notEnforced: [] };
    if (step.kind === "end")
      return { ...unknown, tier: step.of.name, path: `end of tier ${step.of.name}`, action: step.of.end, result };
    const { policy, rule } = step;
    const notEnforced = asksSourcePorts(rule) ? [...rule.notEnforced, "source ports"] : rule.notEnforced;
    return {
      tier: policy.tier,
      policy: refText(policy.ref),
      path: rule.path,
      name: rule.name,
      action: rule.action,
      result,
      notEnforced,
    };
  });
}

/** Whether the rule stands in a list of the object. Others follow from the dialect, and nobody can change them. */
export function isWritten(rule: Rule): boolean {
  return rule.path.endsWith("]");
}

/** Rules that are named as near misses. */
const MAX_NEAR = 5;

/** Rules that would open it if they said a little more. */
function nearMisses(
  steps: readonly Step[],
  peer: AddressFacts,
  isTraffic: (s: Step) => boolean,
  other: string,
): string[] {
  const out: string[] = [];
  for (const step of steps) {
    if (out.length === MAX_NEAR) break;
    if (step.kind !== "rule" || step.isStaged || step.rule.action !== "allow") continue;
    if (!isWritten(step.rule) || isFailsafe(step.policy)) continue;
    const at = `${step.rule.path} of ${refText(step.policy.ref)}`;
    const [isPeer, isSame] = [matchesPeer(step.rule.peer, peer), isTraffic(step)];
    if (isPeer && !isSame) out.push(`${at} allows this ${other}, but other traffic`);
    else if (!isPeer && isSame) out.push(`${at} allows this traffic, but not this ${other}`);
  }
  return out;
}

function decidedBy(outcome: Outcome, direction: Direction): string {
  if (outcome.by === undefined) return `${outcome.isAllowed ? "allowed" : "denied"}, since no policy speaks about it`;
  const by = infoText(stepInfo(outcome.by, direction)).slice(direction.length + 1);
  return `${outcome.isAllowed ? "allowed" : "denied"} by ${by}`;
}

/** @param without what would come out if the step that decides were not there */
function changeOf(outcome: Outcome, without: Outcome, isolatedBy: readonly string[], direction: Direction): string {
  const other = direction === "ingress" ? "source" : "destination";
  const { by, isAllowed } = outcome;
  if (by === undefined) return "A policy that isolates the endpoint, or a rule that denies, would close it";
  if (by.kind === "end")
    return `A rule that allows this ${other} and traffic, in ${isolatedBy.join(" or ")} or another policy of tier ${by.of.name} or an earlier one`;
  const at = `${by.rule.path} of ${refText(by.policy.ref)}`;
  const before = `A rule before it that ${isAllowed ? "denies" : "allows"}`;
  if (!isWritten(by.rule)) return before;
  const still = without.isAllowed === isAllowed ? "still be " : "be ";
  return `${before}; without ${at} it would ${still}${decidedBy(without, direction)}`;
}

/**
 * Explains one end.
 * @param peer the other end; named ports count of the one that the traffic goes to
 */
export function explainEnd(
  ordered: readonly OrderedTier[],
  endpoint: Endpoint,
  peer: AddressFacts,
  direction: Direction,
  traffic: Pick<TrafficPoint, "protocol" | "port">,
): Explanation {
  const tiers = policiesFor(ordered, endpoint.of, endpoint.facts, direction);
  const steps = walkOf(tiers, direction);
  const names = (direction === "ingress" ? endpoint.facts : peer).namedPorts;
  const at = { ...traffic, family: peer.addr.family };
  const isTraffic = (step: Step) =>
    step.kind === "rule" && closedRule(step.rule).traffic.some((t) => trafficMatches(t, at, names));
  const closed = steps.map((s): Step => (s.kind === "end" ? s : { ...s, rule: { ...s.rule, ...closedRule(s.rule) } }));
  const matches = (step: Step & { kind: "rule" }) => matchesPeer(step.rule.peer, peer) && isTraffic(step);
  const outcome = walk(closed, matches);
  const without = walk(
    closed.filter((s) => s !== outcome.by),
    matches,
  );
  const isolating = tiers.flatMap((t) => t.policies).filter((p) => p[direction].isolates && p.mode === "enforce");
  const isolatedBy = isolating.map((p) => refText(p.ref));
  const nearby = outcome.by?.kind === "end" ? isolating.filter((p) => p.tier === tierOf(outcome.by)) : isolating;
  return {
    direction,
    isAllowed: outcome.isAllowed,
    because:
      outcome.by === undefined ? `${direction} no policy speaks about it` : infoText(stepInfo(outcome.by, direction)),
    steps: explained(steps, peer, isTraffic),
    isolatedBy,
    toChange: changeOf(
      outcome,
      without,
      nearby.map((p) => refText(p.ref)),
      direction,
    ),
    nearMisses: outcome.isAllowed
      ? []
      : nearMisses(steps, peer, isTraffic, direction === "ingress" ? "source" : "destination"),
  };
}

function tierOf(step: Step | undefined): string | undefined {
  return step?.kind === "end" ? step.of.name : undefined;
}
