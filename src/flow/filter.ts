/** Which events somebody wants to see. */

import type { Addr } from "../net/addr.ts";
import { type Prefix, prefixHas } from "../net/prefix.ts";
import { type EventKind, type EventVerdict, type FlowEvent, verdictOf } from "./event.ts";

/** All that is said must hold. */
export interface EventFilter {
  /** Empty: all. */
  readonly kinds: ReadonlySet<EventKind>;
  /** Empty: all. */
  readonly verdicts: ReadonlySet<EventVerdict>;
  /** Empty: all. */
  readonly reasons: ReadonlySet<string>;
  /** One of the packet's addresses lies in one of these. Empty: all. */
  readonly prefixes: readonly Prefix[];
}

/** Whether an event is wanted. Cheapest question first: an address costs more than a kind. */
export function matchesFilter(f: EventFilter, e: FlowEvent): boolean {
  if (f.kinds.size > 0 && !f.kinds.has(e.kind)) return false;
  if (f.verdicts.size > 0 && !f.verdicts.has(verdictOf(e))) return false;
  if (f.reasons.size > 0 && !f.reasons.has(e.reason)) return false;
  if (f.prefixes.length === 0) return true;
  const holds = (addr: Addr | undefined) => addr !== undefined && f.prefixes.some((p) => prefixHas(p, addr));
  return holds(e.source?.addr) || holds(e.destination?.addr);
}
