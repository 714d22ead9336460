/** Whose a port of the node is: one pod's, for as long as that lives. */

import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import type { CniRequest } from "../../cni/request.ts";
import type { Endpoint, HostPort } from "../../model/endpoint.ts";
import { protocolName } from "../../model/protocol.ts";
import { findPortConflict, hostPortAddress } from "../../plan/host-ports.ts";
import { isAlive } from "./generation.ts";
import type { NodeContext } from "./node-context.ts";
import { tearDown } from "./teardown.ts";

function podText(e: Endpoint): string {
  return `endpoint ${e.id}${e.podName === undefined ? "" : ` of pod "${e.podNamespace}/${e.podName}"`}`;
}

/** The ports asked for without those of an earlier interface of the container: runtimes tell all its networks the same. */
export function freePorts(ctx: NodeContext, request: CniRequest): readonly HostPort[] {
  if (request.hostPorts.length === 0) return [];
  const own = ctx.ledger.endpoints().filter((e) => e.containerId === request.containerId);
  return request.hostPorts.filter((p) => findPortConflict([p], own) === undefined);
}

/**
 * Why the ports that are asked for cannot be had; undefined: they can. What has died without a DEL is taken down and gives
 * its ports back.
 * @param what is done, in words that follow "Cannot"
 */
export function portProblem(ctx: NodeContext, request: CniRequest, what: string): CniError | undefined {
  if (request.hostPorts.length === 0) return undefined;
  for (;;) {
    const others = ctx.ledger.endpoints().filter((e) => e.containerId !== request.containerId);
    const found = findPortConflict(request.hostPorts, others);
    if (found === undefined) return undefined;
    const { owner, wanted } = found;
    const port = `host port ${hostPortAddress(wanted)}/${protocolName(wanted.protocol)}`;
    const taken = hostPortAddress(found.taken);
    if (owner === undefined)
      return cniError(CNI_CODE.portTaken, `Cannot ${what}: ${port} is asked for twice, also as ${taken}`);
    if (owner.state === "ready" && isAlive(ctx.kernel, owner))
      return cniError(CNI_CODE.portTaken, `Cannot ${what}: ${port} belongs to ${podText(owner)}, which has ${taken}`);
    const failures = tearDown(ctx, owner);
    if (failures.length === 0) continue;
    const msg = `Cannot ${what}: ${podText(owner)}, which had ${port}, could not be removed`;
    return cniError(CNI_CODE.incomplete, msg, failures.join("\n"));
  }
}
