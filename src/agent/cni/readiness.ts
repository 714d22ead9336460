/** STATUS: whether an ADD would work now. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import { formatFigures } from "../../ipam/figures.ts";
import type { Pool } from "../../ipam/pool.ts";
import { ENDPOINTS_MAP } from "../../plan/endpoint.ts";
import { describeFailure } from "./failure.ts";
import type { NodeContext } from "./node-context.ts";

/** A family is exhausted when each of its pools is: a cooling address would be given out, so it counts as free. */
function poolProblems(ctx: NodeContext, pools: readonly Pool[]): readonly string[] {
  if (pools.length === 0) return ["the node has no pod CIDR yet"];
  return [4, 6].flatMap((family) => {
    const figures = pools.filter((p) => p.prefix.family === family).map((p) => ctx.ledger.figures(p));
    if (figures.length === 0 || figures.some((f) => f.free + f.cooling > 0n)) return [];
    return [`no address is free in pool ${figures.map(formatFigures).join(", ")}`];
  });
}

function mapProblems(ctx: NodeContext, families: number): readonly string[] {
  try {
    const size = ctx.kernel.maps().find((m) => m.name === ENDPOINTS_MAP)?.maxEntries;
    if (size === undefined) return [`map "${ENDPOINTS_MAP}" is not loaded`];
    const used = ctx.kernel.mapCount(ENDPOINTS_MAP);
    return used + families <= size ? [] : [`map "${ENDPOINTS_MAP}" is full: ${used} of ${size} entries`];
  } catch (error) {
    return [describeFailure(error)];
  }
}

/** Refuses with every reason at once: 51 when attached pods suffer too, else 50. @throws LedgerError */
export function readiness(ctx: NodeContext): Result<undefined, CniError> {
  const problems = ctx.problems();
  const { pools } = ctx.settings();
  const families = new Set(pools.map((p) => p.prefix.family)).size;
  const reasons = [...problems.map((p) => p.reason), ...poolProblems(ctx, pools), ...mapProblems(ctx, families)];
  if (reasons.length === 0) return ok(undefined);
  const code = problems.some((p) => p.isFeltByPods) ? CNI_CODE.limitedConnectivity : CNI_CODE.notAvailable;
  return err(cniError(code, `Twill cannot attach pods: ${reasons[0]}`, reasons.join("\n")));
}
