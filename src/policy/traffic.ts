/** Whether traffic is what a rule means, and where along protocols and ports the answer can change. */

import type { Family } from "../net/addr.ts";
import type { IcmpMatch, NamedPort, NumberRange, PortExpr, Rule, TrafficMatch } from "./rule.ts";

/** Protocols whose packets carry destination ports: TCP, UDP, SCTP, UDP-Lite. */
export const PROTOCOLS_WITH_PORTS: readonly number[] = [6, 17, 132, 136];

/** IANA number of a family's ICMP. */
export function icmpProtocol(family: Family): 1 | 58 {
  return family === 4 ? 1 : 58;
}

/** What the tables tell apart about a packet, besides its ends. */
export interface TrafficPoint {
  readonly family: Family;
  readonly protocol: number;
  /** Destination port; for the family's ICMP type·256 + code; 0 for protocols that have neither. */
  readonly port: number;
}

const inRange = (n: number, r: NumberRange) => r.first <= n && n <= r.last;

/** Whether one of the ranges holds the number. */
export function isInAny(ranges: readonly NumberRange[], n: number): boolean {
  for (const r of ranges) if (inRange(n, r)) return true;
  return false;
}

function portMatches(expr: PortExpr, at: TrafficPoint, names: readonly NamedPort[]): boolean {
  if (expr.kind === "range") return inRange(at.port, expr.range);
  return names.some((n) => n.name === expr.name && n.protocol === at.protocol && n.port === at.port);
}

function icmpMatches(m: IcmpMatch, at: TrafficPoint): boolean {
  if (m.family !== at.family || at.protocol !== icmpProtocol(m.family)) return false;
  return m.type === at.port >> 8 && (m.code === undefined || m.code === (at.port & 0xff));
}

/**
 * Whether all fields that are present match. Source ports are not looked at: see {@link closedTraffic}.
 * @param names named ports of the pod that the traffic goes to
 */
export function trafficMatches(match: TrafficMatch, at: TrafficPoint, names: readonly NamedPort[]): boolean {
  const hasPort = PROTOCOLS_WITH_PORTS.includes(at.protocol);
  if (match.family !== undefined && match.family !== at.family) return false;
  if (match.protocols !== undefined && !isInAny(match.protocols, at.protocol)) return false;
  if (match.notProtocols !== undefined && isInAny(match.notProtocols, at.protocol)) return false;
  if (match.ports !== undefined && !(hasPort && match.ports.some((p) => portMatches(p, at, names)))) return false;
  if (hasPort && match.notPorts?.some((p) => portMatches(p, at, names))) return false;
  if (match.icmp !== undefined && !match.icmp.some((m) => icmpMatches(m, at))) return false;
  return !match.notIcmp?.some((m) => icmpMatches(m, at));
}

/**
 * The rule as the tables can hold it: they know no source ports. A rule about those that allows matches nothing of
 * that alternative, one that denies matches every source port, and one that passes denies: never more open.
 */
export function closedRule(rule: Rule): Pick<Rule, "action" | "traffic"> {
  if (!asksSourcePorts(rule)) return rule;
  if (rule.action === "allow") return { action: "allow", traffic: rule.traffic.filter((t) => !asksSources(t)) };
  const traffic = rule.traffic.map(({ sourcePorts: _s, notSourcePorts: _n, ...rest }) => rest);
  return { action: rule.action === "pass" ? "deny" : rule.action, traffic };
}

/** Whether the rule asks for something that the tables cannot hold. */
export function asksSourcePorts(rule: Rule): boolean {
  for (const t of rule.traffic) if (asksSources(t)) return true;
  return false;
}

function asksSources(t: TrafficMatch): boolean {
  return t.sourcePorts !== undefined || t.notSourcePorts !== undefined;
}

/** Adds the numbers at which one of the ranges begins or has just ended. */
function addCuts(cuts: Set<number>, ranges: Iterable<NumberRange>): void {
  for (const r of ranges) cuts.add(r.first).add(r.last + 1);
}

/** Adds protocols where a match's answer can change. */
export function addProtocolCuts(cuts: Set<number>, match: TrafficMatch): void {
  addCuts(cuts, match.protocols ?? []);
  addCuts(cuts, match.notProtocols ?? []);
}

/** Adds ports where a match's answer can change for one protocol. */
export function addPortCuts(
  cuts: Set<number>,
  match: TrafficMatch,
  protocol: number,
  names: readonly NamedPort[],
): void {
  for (const expr of [...(match.ports ?? []), ...(match.notPorts ?? [])]) {
    if (expr.kind === "range") addCuts(cuts, [expr.range]);
    else
      for (const n of names)
        if (n.name === expr.name && n.protocol === protocol) addCuts(cuts, [{ first: n.port, last: n.port }]);
  }
}

/** Adds type·256 + code where a match's answer can change for the family's ICMP. */
export function addIcmpCuts(cuts: Set<number>, match: TrafficMatch, family: Family): void {
  for (const m of [...(match.icmp ?? []), ...(match.notIcmp ?? [])]) {
    if (m.family !== family) continue;
    const base = m.type << 8;
    addCuts(cuts, [
      m.code === undefined ? { first: base, last: base | 0xff } : { first: base | m.code, last: base | m.code },
    ]);
  }
}

/** Names of ports that a match asks for. */
export function portNames(match: TrafficMatch): string[] {
  return [...(match.ports ?? []), ...(match.notPorts ?? [])].flatMap((p) => (p.kind === "named" ? [p.name] : []));
}
