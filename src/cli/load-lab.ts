/** The lab, where it is: a container image has none. */

import { UsageError } from "./io.ts";

type Lab = typeof import("../lab/command.ts");

/** @returns undefined: this installation has no lab */
export async function findLab(): Promise<Lab | undefined> {
  try {
    return await import("../lab/command.ts");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw cause;
  }
}

/** @throws UsageError where there is none */
export async function loadLab(): Promise<Lab> {
  const lab = await findLab();
  if (lab === undefined)
    throw new UsageError('This installation has no lab: "npm run lab" in a checkout of Twill starts one');
  return lab;
}
