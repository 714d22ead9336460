/** Writing the map `endpoints`: after every change flows look their pods up anew, and what policy says of them. */

import type { Kernel } from "../kernel/kernel.ts";
import { GenerationOf } from "../net/gen/bpf-maps.ts";
import { ENDPOINTS_MAP } from "../plan/endpoint.ts";
import type { MapRow } from "../plan/rows.ts";
import { type GenerationMap, noteChange } from "./generation.ts";

type MapWriter = Pick<Kernel, "deleteMapKeys"> & GenerationMap;

/** Says that {@link ENDPOINTS_MAP} has changed. An address may be another pod's now, which judges for itself. */
function noteEndpointChange(kernel: GenerationMap): void {
  noteChange(kernel, GenerationOf.endpoints);
  noteChange(kernel, GenerationOf.policy);
}

/** Puts entries. */
export function putEndpointRows(kernel: MapWriter, rows: readonly MapRow[]): void {
  kernel.putMapRows(ENDPOINTS_MAP, rows);
  noteEndpointChange(kernel);
}

/** Removes entries. */
export function deleteEndpointKeys(kernel: MapWriter, keys: readonly Uint8Array[]): void {
  kernel.deleteMapKeys(ENDPOINTS_MAP, keys);
  noteEndpointChange(kernel);
}
