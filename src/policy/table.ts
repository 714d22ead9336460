/**
 * What the kernel knows of policy: three tables, and how they are asked.
 *
 *   classes   ARRAY or HASH   class                     → set for IPv4 peers, set for IPv6 peers
 *   peers     HASH            class · identity          → set          (only where it is not the class's own)
 *   sets      LPM trie        set · protocol · port     → verdict
 *
 * A class is the rules of one direction that several endpoints share; an endpoint has one for each direction. A set is
 * the answer for one class and peer, over all protocols and ports; equal answers are one set, whoever asks. So a
 * question costs the array, one hash lookup and one trie lookup, and the trie holds each distinct answer once.
 *
 * Key of `sets` in bytes: set (4, native), protocol (1), zero (1), port (2, network order). Prefix lengths are 32 (any
 * protocol), 48 (any port of a protocol) or 48 + n (n leading bits of the port). Port means destination port for
 * protocols that have them, type·256 + code for the family's own ICMP, 0 else.
 *
 * Sets never change: a change of rules makes new ones. Written in the order of `change.ts`, each flow sees the old answer or
 * the new one and nothing between. What is missing anywhere is denied: class 0, set 0 and a trie without an answer.
 */

import type { Family } from "../net/addr.ts";
import type { Action, Direction, PolicyRef } from "./rule.ts";

/** The class of an endpoint whose rules are not known yet, and the set without a verdict. */
export const CLOSED = 0;

/** What is done with traffic, and why. Rule 0: no rule, the default. */
export interface Verdict {
  readonly isAllowed: boolean;
  readonly rule: number;
  /** The first `log` rule on the way, 0 for none. */
  readonly logRule: number;
  /** What staged policies would make of it; undefined where they change nothing. */
  readonly staged: { readonly isAllowed: boolean; readonly rule: number } | undefined;
}

/** One entry of `sets`. */
export interface SetRow {
  /** 32, 48 … 64. */
  readonly prefixLength: number;
  /** 0 where the prefix does not reach it. */
  readonly protocol: number;
  /** Bits behind the prefix are 0. */
  readonly port: number;
  readonly verdict: Verdict;
}

/** Both sets of a class. */
export interface ClassRow {
  readonly set4: number;
  readonly set6: number;
}

/** What a rule number stands for. */
export interface RuleInfo {
  readonly direction: Direction;
  /** undefined: the end of a tier, or a class that did not fit. */
  readonly ref: PolicyRef | undefined;
  /** Where in the object; the tier's name at its end. */
  readonly path: string;
  readonly name: string;
  /** What it does; a tier's end denies. */
  readonly action: Action;
  /** At a tier's end: the policies by which the endpoint's traffic comes to it. */
  readonly isolatedBy: readonly PolicyRef[];
}

/** Class numbers of one endpoint. */
export interface EndpointClasses {
  readonly ingress: number;
  readonly egress: number;
}

/** All tables, by number. */
export interface PolicyTables {
  readonly classes: ReadonlyMap<number, ClassRow>;
  /** Class → identity → set. */
  readonly peers: ReadonlyMap<number, ReadonlyMap<number, number>>;
  readonly sets: ReadonlyMap<number, readonly SetRow[]>;
  readonly endpoints: ReadonlyMap<string, EndpointClasses>;
  /** All identities that the classes were asked about, with their family. */
  readonly identities: ReadonlyMap<number, Family>;
  readonly rules: ReadonlyMap<number, RuleInfo>;
  /** Classes that are closed since they did not fit, with the reason. */
  readonly overflow: ReadonlyMap<number, string>;
}

/** The set of a class for a family's peers that have no row of their own. */
export function defaultSet(row: ClassRow, family: Family): number {
  return family === 4 ? row.set4 : row.set6;
}
