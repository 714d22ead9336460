/** One flow between two ends, judged at both: what programs ask for by the thousand. */

import { type Addr, addrEqual, type Family } from "../../net/addr.ts";
import { nthAddr } from "../../net/prefix.ts";
import type { Outcome } from "../order.ts";
import { type AskedTraffic, trafficPoint } from "./traffic-text.ts";
import type { Judged, Traffic, World, WorldEnd } from "./world.ts";

/** The packets of one family that a question means. */
export interface FamilyFlow {
  readonly family: Family;
  readonly from: Addr;
  readonly to: Addr;
  readonly point: Traffic;
}

/** The verdict for one family. Where an outcome is undefined nobody is asked. */
export interface FamilyVerdict {
  readonly family: Family;
  readonly from: Addr;
  readonly to: Addr;
  readonly isAllowed: boolean;
  readonly egress: Outcome | undefined;
  readonly ingress: Outcome | undefined;
}

function firstOf(end: WorldEnd, family: Family): Addr | undefined {
  return end.addrs.find((a) => a.family === family);
}

/**
 * Where a flow comes from. A node speaks to pods from its router address, the first of its pod CIDR, wherever they are (decision 2):
 * only who names another of its addresses asks about a program that binds it.
 */
function sourceOf(from: WorldEnd, to: WorldEnd, family: Family): Addr | undefined {
  const routers = to.pod === undefined ? [] : (from.node?.podCidrs ?? []).map((c) => nthAddr(c, 1n));
  const own = from.addrs.find((a) => a.family === family && routers.some((r) => addrEqual(r, a)));
  return own ?? firstOf(from, family);
}

/** What talks to itself stays inside of itself: no packet is judged. */
export function isInside(from: WorldEnd, to: WorldEnd): boolean {
  return from.kind !== "outside" && from.name === to.name;
}

/** The flow in each family that both ends have, and in which the traffic exists; in none: an empty list. */
export function familyFlows(world: World, from: WorldEnd, to: WorldEnd, traffic: AskedTraffic): FamilyFlow[] {
  return ([4, 6] as const).flatMap((family): FamilyFlow[] => {
    const [source, target] = [sourceOf(from, to, family), firstOf(to, family)];
    if (source === undefined || target === undefined) return [];
    const names = to.pod === undefined ? [] : (world.subject(to.pod)?.namedPorts ?? []);
    const point = trafficPoint(traffic, family, names);
    return point === undefined ? [] : [{ family, from: source, to: target, point }];
  });
}

/**
 * Who is asked at each end. What stays inside of an end is asked about nowhere, and a node is never asked about its own pods: what it
 * sends to them is theirs to judge.
 */
export function judgesOf(
  world: World,
  from: WorldEnd,
  to: WorldEnd,
): { readonly sender: Judged | undefined; readonly receiver: Judged | undefined } {
  if (isInside(from, to)) return { sender: undefined, receiver: undefined };
  const isToOwnPod = from.node !== undefined && to.pod?.nodeName === from.node.name;
  return { sender: isToOwnPod ? undefined : world.judgedAt(from, to), receiver: world.judgedAt(to, from) };
}

/**
 * Judges the flow in each of its families.
 * @param withStaged as if staged policies were enforced
 */
export function judgeEnds(
  world: World,
  from: WorldEnd,
  to: WorldEnd,
  traffic: AskedTraffic,
  withStaged = false,
): FamilyVerdict[] {
  const { sender, receiver } = judgesOf(world, from, to);
  return familyFlows(world, from, to, traffic).map((flow) => {
    const egress = sender && world.judge(sender, "egress", flow.to, flow.point, withStaged);
    const ingress = receiver && world.judge(receiver, "ingress", flow.from, flow.point, withStaged);
    const isAllowed = egress?.isAllowed !== false && ingress?.isAllowed !== false;
    return { family: flow.family, from: flow.from, to: flow.to, isAllowed, egress, ingress };
  });
}

/** The verdict of all families in one word: what they agree on, or `4:ok 6:timeout`. */
export function cellText(verdicts: readonly FamilyVerdict[], denied: "refused" | "timeout"): string {
  const words = verdicts.map((v) => (v.isAllowed ? "ok" : denied));
  const [first] = words;
  if (first === undefined) return "none";
  if (words.every((w) => w === first)) return first;
  return verdicts.map((v, i) => `${v.family}:${words[i]}`).join(" ");
}
