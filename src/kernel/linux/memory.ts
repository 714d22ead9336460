/** Memory of this process. */

import { loadAddon } from "./addon.ts";

/** Gives memory that the C library keeps for later back to the kernel. */
export function trimMemory(): void {
  loadAddon().trimMemory(0);
}
