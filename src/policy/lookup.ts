/** The kernel's question to the tables, read literally: the reference for the eBPF that asks it. */

import type { Family } from "../net/addr.ts";
import { CLOSED, defaultSet, type PolicyTables, type SetRow, type Verdict } from "./table.ts";

/** What a packet brings: the class of the endpoint, who its peer is, and the traffic. */
export interface Question {
  readonly class: number;
  readonly identity: number;
  readonly family: Family;
  readonly protocol: number;
  /** As in the key of `sets`. */
  readonly port: number;
}

/** What has no answer. */
const NO_ANSWER: Verdict = { isAllowed: false, rule: 0, logRule: 0, staged: undefined };

function covers(row: SetRow, protocol: number, port: number): boolean {
  if (row.prefixLength === 32) return true;
  if (row.protocol !== protocol) return false;
  const shift = 64 - row.prefixLength;
  return row.port >> shift === port >> shift;
}

/** Longest prefix match in one set. */
export function lookupSet(rows: readonly SetRow[], protocol: number, port: number): Verdict | undefined {
  let best: SetRow | undefined;
  for (const row of rows)
    if (covers(row, protocol, port) && (best === undefined || row.prefixLength > best.prefixLength)) best = row;
  return best?.verdict;
}

/** The verdict; what is missing anywhere is denied. */
export function lookup(tables: PolicyTables, q: Question): Verdict {
  const row = tables.classes.get(q.class);
  if (q.class === CLOSED || row === undefined) return NO_ANSWER;
  const set = tables.peers.get(q.class)?.get(q.identity) ?? defaultSet(row, q.family);
  return lookupSet(tables.sets.get(set) ?? [], q.protocol, q.port) ?? NO_ANSWER;
}
