/** One flow explained at both of its ends. */

import { err, ok, type Result } from "../../base/result.ts";
import { type Addr, addrEqual, type Family } from "../../net/addr.ts";
import { type Explanation, explainEnd } from "../explain.ts";
import type { Direction } from "../rule.ts";
import { type FamilyFlow, familyFlows, isInside, judgeEnds, judgesOf } from "./flow.ts";
import { type AskedTraffic, trafficText } from "./traffic-text.ts";
import type { Judged, World, WorldEnd } from "./world.ts";

/** What one end says, and why. */
export interface EndExplanation {
  /** The pod, or the node itself, that is asked; undefined: nobody is. */
  readonly who: string | undefined;
  readonly explanation: Explanation | undefined;
}

/** One family's packets. */
export interface FamilyExplanation {
  readonly family: Family;
  readonly from: Addr;
  readonly to: Addr;
  readonly isAllowed: boolean;
  readonly egress: EndExplanation;
  readonly ingress: EndExplanation;
  /** What it would be if staged policies were enforced. */
  readonly isAllowedWithStaged: boolean;
}

/** A flow's verdict in every family that it has. */
export interface FlowExplanation {
  readonly from: WorldEnd;
  readonly to: WorldEnd;
  readonly traffic: AskedTraffic;
  /** All families let it through. */
  readonly isAllowed: boolean;
  /** Both ends are the same: no packet leaves it, nobody judges. */
  readonly isInside: boolean;
  /** At least one. */
  readonly families: readonly FamilyExplanation[];
  /** `namespace/name` of the service whose address the receiver's is: packets are judged by the backend that they are given instead. */
  readonly service: string | undefined;
}

function serviceAt(world: World, { kind, addrs }: WorldEnd): string | undefined {
  if (kind !== "outside") return undefined;
  for (const s of world.objects.services ?? [])
    if ([...s.clusterIps, ...s.externalIps, ...s.loadBalancerIps].some((a) => addrs.some((b) => addrEqual(a, b))))
      return `${s.namespace}/${s.name}`;
  return undefined;
}

function explainSide(
  world: World,
  who: Judged | undefined,
  direction: Direction,
  peer: Addr,
  flow: FamilyFlow,
): EndExplanation {
  if (who === undefined) return { who: undefined, explanation: undefined };
  const other = world.peer(peer, who.seenFrom);
  return { who: who.name, explanation: explainEnd(world.ordered, who, other, direction, flow.point) };
}

function whyNone(world: World, from: WorldEnd, to: WorldEnd, traffic: AskedTraffic): string {
  const families = (end: WorldEnd) => [...new Set(end.addrs.map((a) => `IPv${a.family}`))].join(" and ");
  const common = from.addrs.some((a) => to.addrs.some((b) => a.family === b.family));
  if (!common)
    return `There is no flow from "${from.name}" to "${to.name}": one has ${families(from)}, the other ${families(to)}`;
  const names = (to.pod === undefined ? undefined : world.subject(to.pod))?.namedPorts.map((p) => p.name) ?? [];
  const there = names.length === 0 ? "it declares none with a name" : `it declares ${names.join(", ")}`;
  return `"${to.name}" has no port that ${trafficText(traffic)} names: ${there}`;
}

/** Explains a flow. An error says why there is no such flow. */
export function explainFlow(
  world: World,
  from: WorldEnd,
  to: WorldEnd,
  traffic: AskedTraffic,
): Result<FlowExplanation> {
  const flows = familyFlows(world, from, to, traffic);
  if (flows.length === 0) return err(whyNone(world, from, to, traffic));
  const { sender, receiver } = judgesOf(world, from, to);
  const staged = judgeEnds(world, from, to, traffic, true);
  const families = flows.map((flow, i): FamilyExplanation => {
    const egress = explainSide(world, sender, "egress", flow.to, flow);
    const ingress = explainSide(world, receiver, "ingress", flow.from, flow);
    const isAllowed = egress.explanation?.isAllowed !== false && ingress.explanation?.isAllowed !== false;
    const { family, from: source, to: target } = flow;
    const isAllowedWithStaged = staged[i]?.isAllowed ?? isAllowed;
    return { family, from: source, to: target, isAllowed, egress, ingress, isAllowedWithStaged };
  });
  return ok({
    from,
    to,
    traffic,
    isAllowed: families.every((f) => f.isAllowed),
    isInside: isInside(from, to),
    families,
    service: serviceAt(world, to),
  });
}
