/** Where the compiled programs are. */

import { fileURLToPath } from "node:url";

/** Path of the object: `TWILL_OBJECT`, or the one that this build brings. */
export function objectFile(): string {
  return process.env["TWILL_OBJECT"] ?? fileURLToPath(new URL("../../bpf/gen/twill.o", import.meta.url));
}
