/** Who reaches whom, by policy alone: in the shape of the lab's probes, so that what is said and what happens compare. */

import { err, ok, type Result } from "../../base/result.ts";
import { cellText, judgeEnds } from "./flow.ts";
import { type AskedTraffic, trafficText } from "./traffic-text.ts";
import type { World, WorldEnd } from "./world.ts";

/** Verdicts by port, sender and receiver. */
export type PolicyMatrix = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;

/** What a matrix is asked for. */
export interface MatrixQuestion {
  readonly traffics: readonly AskedTraffic[];
  /** Pods, and what else takes part. */
  readonly ends: readonly WorldEnd[];
  /** Names; undefined: all of the ends. */
  readonly from?: readonly string[] | undefined;
  readonly to?: readonly string[] | undefined;
  /** What a denied sender sees: a rejection, or nothing. */
  readonly denied: "refused" | "timeout";
}

/** Cells of one matrix: beyond, nobody reads it, and it would not fit into memory. */
const MAX_CELLS = 4_000_000;

function wanted(ends: readonly WorldEnd[], names: readonly string[] | undefined): WorldEnd[] {
  return names === undefined ? [...ends] : ends.filter((e) => names.includes(e.name));
}

const isOfCluster = (end: WorldEnd) => end.kind !== "outside";

/** Asks all flows. Between two ends without a family in common, and where nobody could be asked, there is no cell. */
export function policyMatrix(world: World, question: MatrixQuestion): Result<PolicyMatrix> {
  const { traffics, ends, denied } = question;
  const senders = wanted(ends, question.from);
  const receivers = wanted(ends, question.to);
  const cells = senders.length * receivers.length * traffics.length;
  if (cells > MAX_CELLS)
    return err(`The matrix would have ${cells} cells, at most ${MAX_CELLS} are made: ask for fewer ends or ports`);
  const matrix: Record<string, Record<string, Record<string, string>>> = {};
  for (const traffic of traffics) {
    const rows: Record<string, Record<string, string>> = {};
    for (const from of senders) {
      const row: Record<string, string> = {};
      for (const to of receivers) {
        if (!isOfCluster(from) && !isOfCluster(to)) continue;
        const verdicts = judgeEnds(world, from, to, traffic);
        if (verdicts.length > 0) row[to.name] = cellText(verdicts, denied);
      }
      if (Object.keys(row).length > 0) rows[from.name] = row;
    }
    matrix[trafficText(traffic)] = rows;
  }
  return ok(matrix);
}
