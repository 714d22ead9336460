/** Writing the map `host_ports`, and telling the programs whether there is anything to look for in it. */

import type { Kernel } from "../kernel/kernel.ts";
import { KernelError } from "../kernel/kernel.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { type Backend, decodeBackend, encodeServiceKey, GenerationOf } from "../net/gen/bpf-maps.ts";
import { anyHostPortKey, HOST_PORTS_MAP, hostPortKeys, hostPortRows } from "../plan/host-ports.ts";
import { type GenerationMap, readGeneration, writeGeneration } from "./generation.ts";

type MapWriter = Pick<Kernel, "deleteMapKeys"> & GenerationMap;

/** Whether programs look for host ports. */
export function areHostPortsLookedFor(kernel: GenerationMap): boolean {
  return (readGeneration(kernel, GenerationOf.hostPorts) ?? 0) !== 0;
}

/** Says whether pods of this node have host ports. Writes only what is not so already. */
export function tellHostPorts(kernel: GenerationMap, hasAny: boolean): void {
  const now = readGeneration(kernel, GenerationOf.hostPorts);
  if (now !== undefined && (now !== 0) !== hasAny) writeGeneration(kernel, GenerationOf.hostPorts, hasAny ? 1 : 0);
}

/** The pod that a port of the node leads to, as the programs look it up. */
export function hostPortAt(
  kernel: Pick<Kernel, "mapGet">,
  asked: { readonly addr: Uint8Array; readonly port: number; readonly protocol: number },
): Backend | undefined {
  const value =
    kernel.mapGet(HOST_PORTS_MAP, anyHostPortKey(asked)) ?? kernel.mapGet(HOST_PORTS_MAP, encodeServiceKey(asked));
  return value === undefined ? undefined : decodeBackend(value);
}

/** Opens the pod's ports, if it has any: as the last thing that it gets. */
export function putHostPorts(kernel: MapWriter, e: Endpoint): void {
  const rows = hostPortRows(e);
  if (rows.length === 0) return;
  kernel.putMapRows(HOST_PORTS_MAP, rows);
  tellHostPorts(kernel, true);
}

/** Closes them. @param others attachments of this node that stay */
export function deleteHostPorts(kernel: MapWriter, e: Endpoint, others: () => readonly Endpoint[]): void {
  if (e.hostPorts.length === 0) return;
  try {
    kernel.deleteMapKeys(HOST_PORTS_MAP, hostPortKeys(e));
  } catch (error) {
    // Programs of an earlier version know of none.
    if (!(error instanceof KernelError && error.code === "ENOENT")) throw error;
  }
  if (!others().some((o) => o.id !== e.id && o.hostPorts.length > 0)) tellHostPorts(kernel, false);
}
