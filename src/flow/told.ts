/** An event as it is told to people and programs: addresses with the names of who has them, rules with those of their objects. */

import type { Addr } from "../net/addr.ts";
import {
  type EventEnd,
  type EventKind,
  type EventVerdict,
  type FlowEvent,
  type PolicySays,
  verdictOf,
} from "./event.ts";
import { protocolName, tcpFlagsText } from "./protocols.ts";
import { reasonText } from "./reasons.ts";

/** Who has an address. */
export interface AddressName {
  readonly kind: "pod" | "node";
  /** `namespace/name` of a pod. */
  readonly name: string;
}

/** The rule that a number stands for. */
export interface RuleName {
  /** `NetworkPolicy default/web`; undefined: the end of a tier. */
  readonly object: string | undefined;
  /** As `spec.ingress[0].from[1]`; at a tier's end its name. */
  readonly path: string;
  /** That the object gives it, or `""`. */
  readonly name: string;
  /** At a tier's end: the policies that put the endpoint under it. */
  readonly isolatedBy: readonly string[];
  /** false: it has been removed since. */
  readonly isCurrent: boolean;
}

/** Where names come from. */
export interface EventNames {
  at(addr: Addr): AddressName | undefined;
  rule(number: number): RuleName | undefined;
  /** Why no rule decided about an address of this node, in words. */
  whyClosed(addr: Addr): string;
}

/** One side, for people and programs. */
export interface ToldEnd {
  readonly address: string;
  readonly port: number | undefined;
  /** `namespace/name`. */
  readonly pod: string | undefined;
  readonly node: string | undefined;
  /** Of `policy.bank`; undefined: nobody asked. */
  readonly identity: number | undefined;
}

/** The rule of an event. */
export interface ToldRule extends RuleName {
  readonly number: number;
}

/** One event, as one line of JSON has it. */
export interface ToldEvent {
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly verdict: EventVerdict;
  readonly kind: EventKind;
  readonly reason: string;
  readonly reasonText: string;
  /** Whose rules spoke; undefined: none were asked. */
  readonly direction: "ingress" | "egress" | undefined;
  readonly hook: string;
  readonly ifindex: number;
  readonly bytes: number;
  readonly etherType: number;
  readonly protocol: string | undefined;
  readonly tcpFlags: string | undefined;
  readonly icmp: FlowEvent["icmp"];
  readonly source: ToldEnd | undefined;
  readonly destination: ToldEnd | undefined;
  readonly rule: ToldRule | undefined;
  /** Why it was denied although no rule did. */
  readonly because: string | undefined;
  readonly bank: number | undefined;
}

function toldEnd(end: EventEnd | undefined, identity: number | undefined, names: EventNames): ToldEnd | undefined {
  if (end === undefined) return undefined;
  const who = names.at(end.addr);
  return {
    address: end.addr.text,
    port: end.port,
    pod: who?.kind === "pod" ? who.name : undefined,
    node: who?.kind === "node" ? who.name : undefined,
    identity: identity === 0 ? undefined : identity,
  };
}

function toldRule({ rule }: PolicySays, names: EventNames): ToldRule | undefined {
  if (rule === 0) return undefined;
  const found = names.rule(rule);
  if (found !== undefined) return { number: rule, ...found };
  const path = "a rule that went long ago, or of an earlier agent";
  return { number: rule, object: undefined, path, name: "", isolatedBy: [], isCurrent: false };
}

/** @param time when it happened, as {@link ToldEvent.time} */
export function tellEvent(e: FlowEvent, time: string, names: EventNames): ToldEvent {
  const { policy } = e;
  const verdict = verdictOf(e);
  const own = policy?.direction === "egress" ? e.source : e.destination;
  const isUndecided = policy?.rule === 0 && verdict !== "allowed" && verdict !== "would-allow" && own !== undefined;
  return {
    time,
    verdict,
    kind: e.kind,
    reason: e.reason,
    reasonText: reasonText(e.reason),
    direction: policy?.direction,
    hook: e.hook,
    ifindex: e.ifindex,
    bytes: e.bytes,
    etherType: e.etherType,
    protocol: e.protocol === undefined ? undefined : protocolName(e.protocol),
    tcpFlags: e.tcpFlags === undefined ? undefined : tcpFlagsText(e.tcpFlags),
    icmp: e.icmp,
    source: toldEnd(e.source, policy?.sourceIdentity, names),
    destination: toldEnd(e.destination, policy?.destinationIdentity, names),
    rule: policy === undefined ? undefined : toldRule(policy, names),
    because: isUndecided ? names.whyClosed(own.addr) : undefined,
    bank: policy?.bank,
  };
}

/** Whether one of the packet's ends is one of these pods. Empty: all are wanted. */
export function isOfPods(e: FlowEvent, pods: ReadonlySet<string>, names: Pick<EventNames, "at">): boolean {
  if (pods.size === 0) return true;
  return [e.source, e.destination].some((end) => {
    const who = end === undefined ? undefined : names.at(end.addr);
    return who?.kind === "pod" && pods.has(who.name);
  });
}
