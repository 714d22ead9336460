/**
 * Writing the map `endpoints`: after every change the map `generation` gets another value, under which flows remember
 * where their pods are. Whoever writes does both here, the agent and the plugin's short-lived process alike.
 */

import type { Kernel } from "../kernel/kernel.ts";
import { KernelError } from "../kernel/kernel.ts";
import { ENDPOINTS_MAP } from "../plan/endpoint.ts";
import type { MapRow } from "../plan/rows.ts";

/** Name of the map with the generation of {@link ENDPOINTS_MAP}. */
const GENERATION_MAP = "generation";
/** Key of its single entry. */
const KEY = new Uint8Array(4);

type MapWriter = Pick<Kernel, "mapGet" | "putMapRows" | "deleteMapKeys">;

/**
 * Says that {@link ENDPOINTS_MAP} has changed: to be called after the change. Two processes may write the same next value;
 * both read it after their change, so that nothing is remembered under it that either of them has not seen.
 */
export function noteEndpointChange(kernel: Pick<MapWriter, "mapGet" | "putMapRows">): void {
  let before: Uint8Array | undefined;
  try {
    before = kernel.mapGet(GENERATION_MAP, KEY);
  } catch (error) {
    // Programs of an earlier version remember nothing.
    if (error instanceof KernelError && error.code === "ENOENT") return;
    throw error;
  }
  const value = Uint8Array.from(before ?? new Uint8Array(8));
  const view = new DataView(value.buffer);
  view.setUint32(0, (view.getUint32(0, true) + 1) >>> 0, true);
  kernel.putMapRows(GENERATION_MAP, [{ key: KEY, value }]);
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
