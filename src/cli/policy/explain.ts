/** `twill policy explain`. */

import { findEnd } from "../../policy/ask/ends.ts";
import { explainFlow } from "../../policy/ask/explain-flow.ts";
import { explainJson, explainText } from "../../policy/ask/explain-text.ts";
import { parseTraffic } from "../../policy/ask/traffic-text.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { need, openWorld, refusalJson, type WorldOptions, warnOfRefused } from "./sources.ts";

/** Options of the command. */
export interface ExplainOptions extends WorldOptions {
  readonly from?: string;
  readonly to?: string;
  readonly port?: string;
  readonly all?: boolean;
}

/** Explains one flow. @throws UsageError */
export async function explainCommand(io: Io, options: ExplainOptions): Promise<void> {
  const { from, to, port } = options;
  if (from === undefined || to === undefined || port === undefined)
    throw new UsageError("--from, --to and --port are needed, as --from shop/web --to shop/db --port 5432/TCP");
  const traffic = need(parseTraffic(port));
  const { world, refused } = await openWorld(io, options);
  const flow = need(explainFlow(world, need(findEnd(world, from)), need(findEnd(world, to)), traffic));
  if (options.json) return printJson(io, { ...explainJson(flow), refused: refusalJson(refused) });
  io.out(explainText(flow, { paint: io.palette, isFull: options.all === true }));
  warnOfRefused(io, refused);
}
