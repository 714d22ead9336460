/** Events as lines for people: when, what became of it, who, to whom, what, and by which rule. */

import type { LostLine } from "../agent/events/follower.ts";
import type { EventVerdict } from "../flow/event.ts";
import type { ToldEnd, ToldEvent, ToldRule } from "../flow/told.ts";
import { hostPortText } from "../net/host-port.ts";
import type { Palette } from "./colour.ts";

/** Policies at a tier's end that are named; the others are counted. */
const MAX_NAMED = 3;

function painter(verdict: EventVerdict, p: Palette): (text: string) => string {
  if (verdict === "allowed") return p.good;
  return verdict === "denied" || verdict === "dropped" ? p.bad : p.warn;
}

function endText(end: ToldEnd | undefined): string {
  if (end === undefined) return "?";
  const { address, port } = end;
  const at = port === undefined ? address : hostPortText(address, port);
  const who = end.pod ?? (end.node === undefined ? undefined : `node ${end.node}`);
  const identity = end.identity === undefined ? "" : ` id ${end.identity}`;
  return who === undefined ? `${at}${identity}` : `${who} (${at}${identity})`;
}

/** Rule and object. */
export function ruleText(rule: ToldRule): string {
  const name = rule.name === "" ? "" : ` "${rule.name}"`;
  const gone = rule.isCurrent ? "" : " (removed)";
  if (rule.object !== undefined) return `${rule.object} ${rule.path}${name}${gone}`;
  const { isolatedBy } = rule;
  if (isolatedBy.length === 0) return `${rule.path} (rule ${rule.number})`;
  const named = isolatedBy.slice(0, MAX_NAMED).join(", ");
  const more = isolatedBy.length > MAX_NAMED ? ` and ${isolatedBy.length - MAX_NAMED} more` : "";
  return `${named}${more}: no rule allows it (${rule.path})${gone}`;
}

function whatText(e: ToldEvent): string {
  if (e.protocol === undefined) return `EtherType 0x${e.etherType.toString(16).padStart(4, "0")}`;
  if (e.icmp !== undefined) return `${e.protocol} type ${e.icmp.type} code ${e.icmp.code}`;
  return e.tcpFlags === undefined || e.tcpFlags === "" ? e.protocol : `${e.protocol} ${e.tcpFlags}`;
}

function whyText(e: ToldEvent): string {
  if (e.rule !== undefined) return `by ${ruleText(e.rule)}`;
  if (e.because !== undefined) return `by no rule: ${e.because}`;
  // What staged policies let through because none of them speaks about it.
  return e.direction === undefined ? e.reasonText : "by no rule";
}

/** One line, ended. */
export function eventText(e: ToldEvent, p: Palette): string {
  const time = e.time.slice(11, 23);
  const paint = painter(e.verdict, p);
  const where = e.direction ?? e.hook;
  const ends = e.source === undefined ? `device ${e.ifindex}` : `${endText(e.source)} → ${endText(e.destination)}`;
  const words = [p.dim(time), paint(e.verdict.padEnd(11)), where.padEnd(11), ends, whatText(e), whyText(e)];
  return `${words.join(" ")}\n`;
}

/** What is missing among the lines. */
export function lostText({ lost, where }: LostLine, p: Palette): string {
  const why = where === "ring" ? "came faster than the agent takes them" : "came faster than they were read here";
  return `${p.warn(`… ${lost} ${lost === 1 ? "event" : "events"} lost: ${why}`)}\n`;
}
