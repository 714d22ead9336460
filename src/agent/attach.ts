/** ADD: from a request to an open link, intent first, everything rolled back when a step fails. */

import { err, type Result } from "../base/result.ts";
import type { CniError } from "../cni/error.ts";
import type { CniRequest } from "../cni/request.ts";
import type { CniResult } from "../cni/result.ts";
import type { NodeContext } from "./node-context.ts";

/** Attaches one interface and returns the CNI result in its newest form, merged into the request's `prevResult`. */
export function attach(_ctx: NodeContext, _request: CniRequest): Result<CniResult, CniError> {
  return err({ code: 100, msg: "Not yet", details: "" });
}
