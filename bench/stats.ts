/** What a benchmark says: medians and ranges over interleaved rounds, and ratios taken inside each round. */

/** One figure of one subject in one round. */
export interface Sample {
  readonly row: string;
  readonly subject: string;
  /** Counted from 0. */
  readonly round: number;
  readonly value: number;
}

/** What is measured: its name, its unit, and how a person reads it. */
export interface RowSpec {
  readonly name: string;
  /** `ms`, `us`, `Gbit/s`, `1/s`. */
  readonly unit: string;
}

/** One row as `--json` prints it. `ratios` are always Twill divided by the peer. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly twill: number | null;
  readonly peers: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly rounds: number;
}

/** A row with what only people want: lowest and highest round of each subject. */
export interface RowWithRanges extends Row {
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
}

/** The name under which Twill's own figures are sampled; every other subject is a peer. */
export const TWILL = "twill";

/**
 * The value below which the share `q` of `values` lies, between the two nearest ranks.
 * @param q 0 to 1, inclusive
 * @throws RangeError when there is nothing to rank
 */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError("Cannot take a quantile of no values");
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * Rows in the order of `specs`. A ratio is the median of the rounds' own ratios, never a ratio of medians: what else the
 * machine did during a round then weighs on both sides of it. Rows that nobody was measured for are left out.
 */
export function summarize(specs: readonly RowSpec[], samples: readonly Sample[]): RowWithRanges[] {
  const rows: RowWithRanges[] = [];
  for (const spec of specs) {
    const bySubject = new Map<string, Map<number, number>>();
    for (const sample of samples) {
      if (sample.row !== spec.name) continue;
      const rounds = bySubject.get(sample.subject) ?? new Map<number, number>();
      rounds.set(sample.round, sample.value);
      bySubject.set(sample.subject, rounds);
    }
    if (bySubject.size > 0) rows.push(summarizeRow(spec, bySubject));
  }
  return rows;
}

function summarizeRow(spec: RowSpec, bySubject: ReadonlyMap<string, ReadonlyMap<number, number>>): RowWithRanges {
  const twill = bySubject.get(TWILL);
  const peers: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const ranges: Record<string, readonly [number, number]> = {};
  let rounds = 0;
  for (const [subject, byRound] of bySubject) {
    const values = [...byRound.values()];
    rounds = Math.max(rounds, values.length);
    ranges[subject] = [tidy(Math.min(...values)), tidy(Math.max(...values))];
    if (subject === TWILL) continue;
    peers[subject] = tidy(median(values));
    const shared = [...byRound].flatMap(([round, value]) => {
      const own = twill?.get(round);
      return own === undefined || value === 0 ? [] : [own / value];
    });
    if (shared.length > 0) ratios[subject] = tidy(median(shared));
  }
  return {
    name: spec.name,
    unit: spec.unit,
    twill: twill === undefined ? null : tidy(median([...twill.values()])),
    peers,
    ratios,
    rounds,
    ranges,
  };
}

/** Four significant digits: more would claim what no round can tell. */
function tidy(value: number): number {
  return Number(value.toPrecision(4));
}
