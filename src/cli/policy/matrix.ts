/** `twill policy matrix`: who reaches whom, by policy alone. */

import { findEnd } from "../../policy/ask/ends.ts";
import { policyMatrix } from "../../policy/ask/matrix.ts";
import { formatMatrix } from "../../policy/ask/matrix-text.ts";
import { parseTraffics } from "../../policy/ask/traffic-text.ts";
import type { World, WorldEnd } from "../../policy/ask/world.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { need, openWorld, type WorldOptions, warnOfRefused } from "./sources.ts";

/** Options of the command. */
export interface MatrixOptions extends WorldOptions {
  readonly ports: string;
  readonly from?: string;
  readonly to?: string;
  readonly nodes?: boolean;
  readonly outside?: readonly string[];
  readonly denied: string;
}

/** `NAME=ADDRESS,ADDRESS`, or an address that is its own name. */
function outsideEnd(world: World, text: string): WorldEnd {
  const [name = "", list = name] = text.split("=");
  const ends = list.split(",").map((a) => need(findEnd(world, a)));
  const wrong = ends.find((e) => e.kind !== "outside");
  if (wrong !== undefined || name === "")
    throw new UsageError(`"${text}" is nobody outside of the cluster: --outside takes ADDRESS or NAME=ADDRESS,ADDRESS`);
  return { name, kind: "outside", addrs: ends.flatMap((e) => e.addrs), pod: undefined };
}

/** Names of ends, those of pods in namespace `default` without it. @throws UsageError */
function asked(ends: readonly WorldEnd[], text: string | undefined): string[] | undefined {
  const known = new Set(ends.map((e) => e.name));
  return text?.split(",").map((word) => {
    const name = [word.trim(), `default/${word.trim()}`].find((n) => known.has(n));
    if (name === undefined)
      throw new UsageError(`"${word}" takes no part in the matrix: ${[...known].slice(0, 8).join(", ")} do`);
    return name;
  });
}

/** Prints the table. @throws UsageError */
export async function matrixCommand(io: Io, options: MatrixOptions): Promise<void> {
  const { denied } = options;
  if (denied !== "timeout" && denied !== "refused")
    throw new UsageError(`"${denied}" is not what a denied sender sees: timeout or refused`);
  const traffics = need(parseTraffics(options.ports));
  const { world, refused } = await openWorld(io, options);
  const nodes =
    options.nodes === true ? world.nodes.flatMap((n) => n.internalIps.slice(0, 1)).map((a) => world.endAt(a)) : [];
  const outside = (options.outside ?? []).map((text) => outsideEnd(world, text));
  const ends = [...[...world.pods.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), ...nodes, ...outside];
  if (ends.length === 0) throw new UsageError("There is no pod with an address to make a matrix of");
  const question = { traffics, ends, from: asked(ends, options.from), to: asked(ends, options.to), denied } as const;
  const matrix = need(policyMatrix(world, question));
  if (options.json) printJson(io, matrix);
  else io.out(`${formatMatrix(matrix)}\n`);
  warnOfRefused(io, refused);
}
