/** `twill policy lint`: what policies say in vain. */

import type { Refusal } from "../../cluster/directory/read-once.ts";
import { lint } from "../../policy/ask/lint.ts";
import { notEnforced } from "../../policy/ask/not-enforced.ts";
import { refText } from "../../policy/order.ts";
import { type Io, printJson } from "../io.ts";
import { openWorld, refusalJson, refusalText, type WorldOptions } from "./sources.ts";

function printRefused(io: Io, refused: readonly Refusal[]): void {
  for (const r of refused) io.out(`${io.palette.bad("refused")} ${refusalText(r)}`);
}

/** Exit code 1: something was found. */
export async function lintCommand(io: Io, options: WorldOptions): Promise<void> {
  const { world, refused } = await openWorld(io, options);
  const { findings, isPartial } = lint(world);
  const closed = notEnforced(world.rules.policies);
  if (findings.length + refused.length + closed.length > 0) io.setExitCode(1);
  if (options.json) {
    const named = findings.map(({ ref, ...f }) => ({ ...f, object: refText(ref) }));
    const asks = closed.map((c) => ({ object: refText(c.ref), path: c.path, what: c.what }));
    return printJson(io, { findings: named, notEnforced: asks, refused: refusalJson(refused), isPartial });
  }
  printRefused(io, refused);
  for (const c of closed)
    io.out(`${io.palette.warn("not-enforced")} ${refText(c.ref)}: ${c.path}: ${c.what.join(", ")}\n`);
  for (const f of findings) io.out(`${io.palette.warn(f.kind)} ${refText(f.ref)}: ${f.path}: ${f.message}\n`);
  if (isPartial) io.err("Not all was looked at: there are too many rules for so many peers\n");
  const n = findings.length + closed.length + refused.length;
  io.out(n === 0 ? io.palette.good("Nothing is said in vain\n") : `${n} ${n === 1 ? "finding" : "findings"}\n`);
}
