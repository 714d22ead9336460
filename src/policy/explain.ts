/** Why one end of a flow is let through or not: every step that was looked at, the one that decided, and what would change it. */

import { type Endpoint, infoText, stepInfo } from "./classes.ts";
import { type OrderedTier, policiesFor, refText, type Step, walk, walkOf } from "./order.ts";
import { matchesPeer } from "./peer.ts";
import type { AddressFacts, Direction } from "./rule.ts";
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

function changeOf(
  by: Step | undefined,
  isAllowed: boolean,
  isolatedBy: readonly string[],
  direction: Direction,
): string {
  const other = direction === "ingress" ? "source" : "destination";
  if (by === undefined) return "A policy that isolates the endpoint, or a rule that denies, would close it";
  if (by.kind === "end")
    return `A rule that allows this ${other} and traffic, in ${isolatedBy.join(" or ")} or another policy of tier ${by.of.name} or an earlier one`;
  const at = `${by.rule.path} of ${refText(by.policy.ref)}`;
  return isAllowed
    ? `Without ${at}, or with a rule before it that denies, the next steps would decide`
    : `Without ${at}, or with a rule before it that allows, the next steps would decide`;
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
  const outcome = walk(closed, (step) => matchesPeer(step.rule.peer, peer) && isTraffic(step));
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
      outcome.by,
      outcome.isAllowed,
      nearby.map((p) => refText(p.ref)),
      direction,
    ),
  };
}

function tierOf(step: Step | undefined): string | undefined {
  return step?.kind === "end" ? step.of.name : undefined;
}
