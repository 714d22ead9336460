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

/** The value of now. @returns undefined where programs of an earlier version know nothing of it */
export function readGeneration(kernel: Pick<GenerationMap, "mapGet">, of: GenerationOf): number | undefined {
  try {
    const value = kernel.mapGet(GENERATION_MAP, keyOf(of));
    return value === undefined ? undefined : decodeGeneration(value).value;
  } catch (error) {
    if (error instanceof KernelError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a value. */
export function writeGeneration(kernel: Pick<GenerationMap, "putMapRows">, of: GenerationOf, value: number): void {
  kernel.putMapRows(GENERATION_MAP, [{ key: keyOf(of), value: encodeGeneration({ value }) }]);
}

/**
 * Says that something has changed: to be called after the change. Two processes may write the same next value; both read
 * it after their change, so that nothing is remembered under it that either of them has not seen.
 */
export function noteChange(kernel: GenerationMap, of: GenerationOf): void {
  const before = readGeneration(kernel, of);
  // 0 is what a flow has that nobody has judged.
  if (before !== undefined) writeGeneration(kernel, of, (before + 1) >>> 0 || 1);
}
