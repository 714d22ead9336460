/** What somebody who watches asks for: the words of `twill monitor` and of `GET /v1/events`, which are the same. */

import type { Issue } from "../base/issue.ts";
import { nearest } from "../base/nearest.ts";
import { err, ok, type Result } from "../base/result.ts";
import { parseAddr } from "../net/addr.ts";
import { hostPrefix, type Prefix, parsePrefix } from "../net/prefix.ts";
import { EVENT_KINDS, type EventKind, type EventVerdict, VERDICTS } from "./event.ts";
import type { EventFilter } from "./filter.ts";
import { EVENT_REASONS } from "./reasons.ts";

/** A question. */
export interface EventQuery extends EventFilter {
  /** `namespace/name` of pods of which one is the packet's source or destination. Empty: all. */
  readonly pods: ReadonlySet<string>;
  /** How many of the past to begin with. */
  readonly last: number;
  /** Whether to go on with what comes. */
  readonly follows: boolean;
}

/** Most past events that can be asked for: as many as are remembered. */
export const MAX_LAST = 4096;
/** Values of one parameter. */
const MAX_VALUES = 64;

const PARAMETERS = ["kind", "verdict", "reason", "ip", "pod", "last", "follow"] as const;

function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? `one of ${known.join(", ")} is` : `"${near}" is`;
}

function parseIp(text: string): Result<Prefix> {
  if (text.includes("/")) return parsePrefix(text);
  const a = parseAddr(text);
  return a.ok ? ok(hostPrefix(a.value)) : a;
}

/** Reads parameters; every wrong one is told, and none is passed over. */
export function parseEventQuery(parameters: Iterable<readonly [string, string]>): Result<EventQuery, readonly Issue[]> {
  const issues: Issue[] = [];
  const kinds = new Set<EventKind>();
  const verdicts = new Set<EventVerdict>();
  const reasons = new Set<string>();
  const pods = new Set<string>();
  const prefixes: Prefix[] = [];
  let last = 0;
  let follows = false;
  let count = 0;
  const refuse = (path: string, message: string) => void issues.push({ path, message });
  for (const [name, value] of parameters) {
    const word = value.slice(0, 256);
    if (++count > MAX_VALUES) {
      refuse("", `More than ${MAX_VALUES} conditions`);
      break;
    }
    switch (name) {
      case "kind": {
        const kind = EVENT_KINDS.find((k) => k === word);
        if (kind === undefined) refuse(name, `"${word}" is no kind of event: ${suggestion(word, EVENT_KINDS)}`);
        else kinds.add(kind);
        break;
      }
      case "verdict": {
        const verdict = VERDICTS.find((v) => v === word);
        if (verdict === undefined) refuse(name, `"${word}" is no verdict: ${suggestion(word, VERDICTS)}`);
        else verdicts.add(verdict);
        break;
      }
      case "reason": {
        // As metrics spell it, too.
        const reason = word.replace(/^drop_/, "");
        if (EVENT_REASONS.includes(reason)) reasons.add(reason);
        else refuse(name, `"${word}" is no reason of an event: ${suggestion(reason, EVENT_REASONS)}`);
        break;
      }
      case "ip": {
        const parsed = parseIp(word);
        if (parsed.ok) prefixes.push(parsed.value);
        else refuse(name, parsed.error);
        break;
      }
      case "pod":
        if (/^[^/\s]+\/[^/\s]+$/.test(word)) pods.add(word);
        else refuse(name, `"${word}" is no pod: NAMESPACE/NAME is, as in default/web-0`);
        break;
      case "last":
        last = Number(word);
        if (!/^\d+$/.test(word) || last > MAX_LAST)
          refuse(name, `"${word}" is no number of past events: 0 to ${MAX_LAST} are remembered`);
        break;
      case "follow":
        follows = word === "true";
        if (word !== "true" && word !== "false") refuse(name, `"${word}" is neither true nor false`);
        break;
      default:
        refuse(name, `There is no such condition: ${suggestion(name, PARAMETERS)}`);
    }
  }
  return issues.length > 0 ? err(issues) : ok({ kinds, verdicts, reasons, prefixes, pods, last, follows });
}
