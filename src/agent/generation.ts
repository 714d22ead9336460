/**
 * The map `generation`: flows remember where their pods are, and what policy said, each under a value of its own. Whoever
 * changes what they looked at gives it another value after the change, the agent and the plugin's short-lived process
 * alike.
 */

import type { Kernel } from "../kernel/kernel.ts";
import { KernelError } from "../kernel/kernel.ts";
import { decodeGeneration, encodeGeneration, type GenerationOf } from "../net/gen/bpf-maps.ts";

const GENERATION_MAP = "generation";

/** Writing and reading of entries. */
export type GenerationMap = Pick<Kernel, "mapGet" | "putMapRows">;

function keyOf(of: GenerationOf): Uint8Array {
  return new Uint8Array(new Uint32Array([of]).buffer);
}

/**
 * Says that something has changed: to be called after the change. Two processes may write the same next value; both read
 * it after their change, so that nothing is remembered under it that either of them has not seen.
 */
export function noteChange(kernel: GenerationMap, of: GenerationOf): void {
  const key = keyOf(of);
  let before: Uint8Array | undefined;
  try {
    before = kernel.mapGet(GENERATION_MAP, key);
  } catch (error) {
    // Programs of an earlier version remember nothing.
    if (error instanceof KernelError && error.code === "ENOENT") return;
    throw error;
  }
  const value = before === undefined ? 0 : decodeGeneration(before).value;
  // 0 is what a flow has that nobody has judged.
  kernel.putMapRows(GENERATION_MAP, [{ key, value: encodeGeneration({ value: (value + 1) >>> 0 || 1 }) }]);
}
