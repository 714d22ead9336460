/** Taking an attachment apart: every step may have been done already, none stops the others. */

import type { Endpoint } from "../../model/endpoint.ts";
import { endpointKeys } from "../../plan/endpoint.ts";
import { deleteEndpointKeys } from "../endpoint-map.ts";
import { deleteHostPorts } from "../host-port-map.ts";
import { describeFailure, isGone } from "./failure.ts";
import type { NodeContext } from "./node-context.ts";
import { deleteShaper } from "./shaper.ts";

/** Runs all steps; what is gone already counts as done. @returns messages of the steps that failed */
export function runAll(steps: readonly (() => void)[]): readonly string[] {
  const failures: string[] = [];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      if (!isGone(error)) failures.push(describeFailure(error));
    }
  }
  return failures;
}

/**
 * Removes everything that the attachment has in the kernel, then forgets it. If something is left, the ledger goes on
 * remembering it as `deleting`, its addresses stay leased, and the next sweep, DEL or GC tries again.
 *
 * The addresses are leased to this endpoint until the last step: none of the entries can be another's.
 * @returns what could not be removed
 */
export function tearDown(ctx: NodeContext, endpoint: Endpoint): readonly string[] {
  const { kernel, ledger } = ctx;
  ledger.markDeleting(endpoint.id);
  const failures = runAll([
    () => deleteHostPorts(kernel, endpoint, () => ledger.endpoints()),
    () => deleteEndpointKeys(kernel, endpointKeys(endpoint)),
    () => deleteShaper(kernel, endpoint),
    // The program goes with the device.
    () => kernel.deleteLink(endpoint.hostIfname),
  ]);
  if (failures.length === 0) ledger.remove(endpoint.id);
  if (endpoint.hostPorts.length > 0) ctx.hostPortsClosed?.();
  return failures;
}
