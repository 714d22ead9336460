/** The policy objects of a world, as they were understood: what lists and details are made of. */

import { refKey, refText } from "../order.ts";
import { matchesPeer, peerText } from "../peer.ts";
import type { Direction, IcmpMatch, NumberRange, Policy, PolicyRef, PortExpr, Rule, TrafficMatch } from "../rule.ts";
import { closedRule } from "../traffic.ts";
import { type NotEnforced, notEnforced } from "./not-enforced.ts";
import type { World } from "./world.ts";

/** One rule, in words. */
export interface RuleText {
  readonly direction: Direction;
  /** Where in the object. */
  readonly path: string;
  readonly name: string;
  readonly action: string;
  readonly peer: string;
  readonly traffic: string;
}

/** One object. */
export interface PolicyObject {
  readonly ref: PolicyRef;
  /** `kind namespace/name`. */
  readonly text: string;
  readonly tier: string;
  /** null: behind all that have one. */
  readonly order: number | null;
  readonly mode: "enforce" | "stage";
  /** Directions that it closes for what it selects. */
  readonly isolates: readonly Direction[];
  /** `namespace/name` of pods, and names of nodes. */
  readonly selects: readonly string[];
  readonly rules: readonly RuleText[];
  readonly notEnforced: readonly NotEnforced[];
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "ICMP",
  6: "TCP",
  17: "UDP",
  58: "ICMPv6",
  132: "SCTP",
  136: "UDP-Lite",
};

const rangeText = ({ first, last }: NumberRange) => (first === last ? `${first}` : `${first}-${last}`);
const portText = (p: PortExpr) => (p.kind === "named" ? p.name : rangeText(p.range));
const icmpText = (m: IcmpMatch) =>
  `${m.family === 4 ? "ICMP" : "ICMPv6"} ${m.type}${m.code === undefined ? "" : `/${m.code}`}`;

function protocolText(r: NumberRange): string {
  return r.first === r.last ? (PROTOCOLS[r.first] ?? `protocol ${r.first}`) : `protocols ${rangeText(r)}`;
}

function listText(word: string, list: readonly string[] | undefined): string[] {
  return list === undefined ? [] : [`${word}${list.join(",")}`];
}

/** One alternative in words: `TCP 80,443`. */
function matchText(m: TrafficMatch): string {
  const words = [
    ...(m.family === undefined ? [] : [`IPv${m.family}`]),
    ...listText("", m.protocols?.map(protocolText)),
    ...listText("not ", m.notProtocols?.map(protocolText)),
    ...listText(m.protocols === undefined ? "port " : "", m.ports?.map(portText)),
    ...listText("not port ", m.notPorts?.map(portText)),
    ...listText("from port ", m.sourcePorts?.map(portText)),
    ...listText("not from port ", m.notSourcePorts?.map(portText)),
    ...listText("", m.icmp?.map(icmpText)),
    ...listText("not ", m.notIcmp?.map(icmpText)),
  ];
  return words.length === 0 ? "all" : words.join(" ");
}

function ruleText(rule: Rule, direction: Direction): RuleText {
  const { path, name, action } = rule;
  const traffic = rule.traffic.length === 0 ? "none" : rule.traffic.map(matchText).join("; ");
  const closed = closedRule(rule).action;
  const shown = closed === action ? action : `${action}, closed to ${closed}`;
  return { direction, path, name, action: shown, peer: peerText(rule.peer), traffic };
}

/** Names of what the policy selects. */
function selectedBy(world: World, { subject }: Policy): string[] {
  if (subject.of === "nodes")
    return world.nodes
      .filter((n) => n.internalIps.some((a) => matchesPeer(subject.is, world.peer(a, n.name))))
      .map((n) => n.name);
  return [...world.pods.values()].flatMap(({ name, pod }) => {
    const facts = pod && world.subject(pod);
    return facts !== undefined && matchesPeer(subject.is, facts) ? [name] : [];
  });
}

function objectOf(world: World, [first, ...rest]: readonly [Policy, ...Policy[]]): PolicyObject {
  const all = [first, ...rest];
  const directions = ["ingress", "egress"] as const;
  // The same rule may stand in several policies of an object: for pods and for nodes.
  const rules = new Map(
    all
      .flatMap((p) => directions.flatMap((d) => p[d].rules.map((r) => ruleText(r, d))))
      .map((r) => [JSON.stringify(r), r]),
  );
  return {
    ref: first.ref,
    text: refText(first.ref),
    tier: first.tier,
    order: Number.isFinite(first.order) ? first.order : null,
    mode: first.mode,
    isolates: directions.filter((d) => all.some((p) => p[d].isolates)),
    selects: [...new Set(all.flatMap((p) => selectedBy(world, p)))].sort(),
    rules: [...rules.values()],
    notEnforced: notEnforced(all),
  };
}

/** All objects, in the order in which they are judged; those in several places by the first. */
export function policyObjects(world: World): PolicyObject[] {
  const ordered = world.ordered.flatMap((t) => t.policies);
  return [...Map.groupBy(ordered, (p) => refKey(p.ref)).values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [objectOf(world, [first, ...rest])],
  );
}
