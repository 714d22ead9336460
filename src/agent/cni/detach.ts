/** DEL: repeatable, content with whatever is gone already. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import type { CniRequest } from "../../cni/request.ts";
import { shaperNames } from "../../plan/names.ts";
import { isSuperseded } from "./generation.ts";
import { hostIfname } from "./host-ifname.ts";
import type { NodeContext } from "./node-context.ts";
import { runAll, tearDown } from "./teardown.ts";

/** What a DEL did. */
export type Detached = "removed" | "unknown" | "superseded";

function detachLocked(ctx: NodeContext, request: CniRequest): Result<Detached, CniError> {
  const { containerId, ifname } = request;
  const endpoint = ctx.ledger.find(containerId, ifname);
  if (endpoint !== undefined && isSuperseded(ctx.kernel, endpoint, request)) return ok("superseded");
  const failures =
    endpoint === undefined
      ? // A ledger that was moved away remembers nothing, but the name of the link can be computed.
        runAll(
          [hostIfname(containerId, ifname), shaperNames(hostIfname(containerId, ifname)).link].map(
            (name) => () => ctx.kernel.deleteLink(name),
          ),
        )
      : tearDown(ctx, endpoint);
  if (failures.length === 0) return ok(endpoint === undefined ? "unknown" : "removed");
  const msg = `Cannot detach "${ifname}" of container "${containerId}" completely: ${failures[0]}`;
  return err(cniError(CNI_CODE.incomplete, msg, failures.join("\n")));
}

/** Detaches one interface. @throws LedgerError when the ledger itself fails */
export function detach(ctx: NodeContext, request: CniRequest): Result<Detached, CniError> {
  return ctx.ledger.exclusive(() => detachLocked(ctx, request));
}
