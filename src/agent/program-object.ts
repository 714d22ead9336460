/** Where the compiled programs are. */

import { homeFile } from "../kernel/linux/home.ts";

/** Path of the object: `TWILL_OBJECT`, or the one that this build brings. */
export function objectFile(): string {
  return process.env["TWILL_OBJECT"] ?? homeFile("bpf/gen/twill.o");
}
