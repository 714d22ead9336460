/**
 * Which steps can match where along the ports of one protocol, so that a thousand rules about a thousand ports are not
 * asked a thousand times each. Candidates may turn out not to match; what is no candidate cannot.
 */

import type { Family } from "../net/addr.ts";
import type { Step } from "./order.ts";
import type { NamedPort, NumberRange, TrafficMatch } from "./rule.ts";
import { icmpProtocol, isInAny, PROTOCOLS_WITH_PORTS } from "./traffic.ts";

interface Placed {
  readonly place: number;
  readonly step: Step;
}

/** Candidates by piece. */
export interface Candidates {
  /** Numbers at which a piece begins, ascending, the first 0. */
  readonly cuts: readonly number[];
  /** Of the piece with that index, in the order of the walk. */
  at(piece: number): Iterable<Step>;
}

/** Ports (or type·256 + code) that a match can mean, as far as it names them; undefined: any. */
function spansOf(
  match: TrafficMatch,
  protocol: number,
  names: readonly NamedPort[],
  family: Family,
): NumberRange[] | undefined {
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(protocol);
  if (match.ports !== undefined) {
    if (!hasPorts) return [];
    return match.ports.flatMap((p) =>
      p.kind === "range"
        ? [p.range]
        : names
            .filter((n) => n.name === p.name && n.protocol === protocol)
            .map((n) => ({ first: n.port, last: n.port })),
    );
  }
  if (match.icmp === undefined) return undefined;
  if (protocol !== icmpProtocol(family)) return [];
  return match.icmp
    .filter((m) => m.family === family)
    .map(({ type, code }) => ({ first: (type << 8) | (code ?? 0), last: (type << 8) | (code ?? 0xff) }));
}

/** Whether the match can mean traffic of the protocol, whatever the ports. */
export function isAbout(match: TrafficMatch, protocol: number, family: Family): boolean {
  if (match.family !== undefined && match.family !== family) return false;
  return match.protocols === undefined || isInAny(match.protocols, protocol);
}

function* merged(a: readonly Placed[], b: readonly Placed[]): Generator<Step> {
  let i = 0;
  let j = 0;
  for (;;) {
    const [x, y] = [a[i], b[j]];
    if (x !== undefined && (y === undefined || x.place < y.place)) {
      yield x.step;
      i++;
    } else if (y !== undefined) {
      yield y.step;
      j++;
    } else return;
  }
}

/**
 * @param cuts where the answer of any of the steps can change
 */
export function candidatesFor(
  steps: readonly Step[],
  cuts: readonly number[],
  protocol: number,
  names: readonly NamedPort[],
  family: Family,
): Candidates {
  const pieceOf = new Map(cuts.map((cut, i) => [cut, i]));
  const wide: Placed[] = [];
  const narrow: Placed[][] = cuts.map(() => []);
  for (const [place, step] of steps.entries()) {
    const matches = step.kind === "end" ? [] : step.rule.traffic.filter((t) => isAbout(t, protocol, family));
    const spans = matches.map((t) => spansOf(t, protocol, names, family));
    if (step.kind === "end" || spans.includes(undefined)) {
      wide.push({ place, step });
      continue;
    }
    for (const { first, last } of spans.flatMap((s) => s ?? []))
      for (let piece = pieceOf.get(first) ?? 0; piece < (pieceOf.get(last + 1) ?? cuts.length); piece++)
        if (narrow[piece]?.at(-1)?.place !== place) narrow[piece]?.push({ place, step });
  }
  return { cuts, at: (piece) => merged(wide, narrow[piece] ?? []) };
}
