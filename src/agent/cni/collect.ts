/** GC: everything of a network that the runtime does not name any more is taken down. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import type { AttachmentRef } from "../../cni/request.ts";
import type { NodeContext } from "./node-context.ts";
import { type Sweep, sweep } from "./sweep.ts";

/** Goes on after failures and reports them all. @throws LedgerError when the ledger itself fails */
export function collect(ctx: NodeContext, network: string, valid: readonly AttachmentRef[]): Result<Sweep, CniError> {
  const wanted = new Set(valid.map((a) => `${a.containerId}/${a.ifname}`));
  const done = sweep(ctx, (e) => e.network === network && !wanted.has(`${e.containerId}/${e.ifname}`));
  if (done.failures.length === 0) return ok(done);
  const msg = `Cannot collect all garbage of network "${network}": ${done.failures.length} steps failed`;
  return err(cniError(CNI_CODE.incomplete, msg, done.failures.join("\n")));
}
