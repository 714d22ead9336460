/** `twill policy list` and `twill policy get`: which policies there are, and how they were understood. */

import { nearest } from "../../base/nearest.ts";
import { type PolicyObject, policyObjects } from "../../policy/ask/objects.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { formatTable } from "../table.ts";
import { openWorld, refusalJson, type WorldOptions, warnOfRefused } from "./sources.ts";

const HEADER = ["POLICY", "TIER", "ORDER", "MODE", "SELECTS", "ISOLATES", "RULES", "NOT ENFORCED"];

function row(o: PolicyObject): string[] {
  const isolates = o.isolates.length === 0 ? "-" : o.isolates.join(",");
  const open = o.notEnforced.length === 0 ? "-" : [...new Set(o.notEnforced.flatMap((n) => n.what))].join(", ");
  const order = o.order === null ? "-" : `${o.order}`;
  return [o.text, o.tier, order, o.mode, `${o.selects.length}`, isolates, `${o.rules.length}`, open];
}

/** What programs read of an object. */
function objectJson({ ref: _ref, text, notEnforced, ...rest }: PolicyObject): object {
  return { object: text, ...rest, notEnforced: notEnforced.map(({ path, what }) => ({ path, what })) };
}

/** Prints a line for each policy, in the order in which they are judged. */
export async function listCommand(io: Io, options: WorldOptions): Promise<void> {
  const { world, refused } = await openWorld(io, options);
  const all = policyObjects(world);
  if (options.json) return printJson(io, { policies: all.map(objectJson), refused: refusalJson(refused) });
  io.out(all.length === 0 ? "There are no policies.\n" : formatTable(HEADER, all.map(row)));
  warnOfRefused(io, refused);
}

/** Names that are listed in full. */
const MAX_NAMES = 20;

function details(o: PolicyObject, io: Io): string {
  const { dim, warn } = io.palette;
  const names = o.selects.slice(0, MAX_NAMES).join(", ");
  const more = o.selects.length > MAX_NAMES ? ` and ${o.selects.length - MAX_NAMES} more` : "";
  const rules = o.rules.map(
    (r) =>
      `  ${r.path}${r.name === "" ? "" : ` "${r.name}"`}: ${r.action} ${r.traffic}\n    ${dim(`${r.direction === "ingress" ? "from" : "to"} ${r.peer}`)}\n`,
  );
  const closed = o.notEnforced.map((n) => `${warn("not enforced")} ${n.path}: ${n.what.join(", ")}\n`);
  return [
    `${o.text}\n`,
    `tier      ${o.tier}, order ${o.order ?? "none"}${o.mode === "stage" ? ", staged: counted, without effect" : ""}\n`,
    `selects   ${o.selects.length === 0 ? "nothing that is there" : `${names}${more}`}\n`,
    `isolates  ${o.isolates.length === 0 ? "no direction" : o.isolates.join(", ")}\n`,
    ...rules,
    ...closed,
  ].join("");
}

/** Prints all policies of that name. @param what `namespace/name`, a name, or either behind its kind @throws UsageError */
export async function getCommand(io: Io, what: readonly string[], options: WorldOptions): Promise<void> {
  const { world, refused } = await openWorld(io, options);
  const all = policyObjects(world);
  const text = what.join(" ");
  const names = (o: PolicyObject) => [o.text, o.text.split(" ")[1], o.ref.name, `${o.ref.kind} ${o.ref.name}`];
  const found = all.filter((o) => names(o).includes(text));
  if (found.length === 0) {
    warnOfRefused(io, refused);
    const near = nearest(
      text,
      all.flatMap((o) => [o.text, o.text.split(" ")[1] ?? ""]),
    );
    throw new UsageError(
      `There is no policy "${text}": ${near === undefined ? "twill policy list shows all" : `did you mean "${near}"?`}`,
    );
  }
  if (options.json) return printJson(io, found.map(objectJson));
  io.out(found.map((o) => details(o, io)).join("\n"));
  warnOfRefused(io, refused);
}
