/** `twill monitor`: what the data plane drops, denies and tells of, as it happens. */

import type { Command } from "commander";
import type { LostLine } from "../../agent/events/follower.ts";
import type { ToldEvent } from "../../flow/told.ts";
import { askText, followLines } from "../client.ts";
import { type Io, UsageError } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";

interface MonitorOptions extends NodeOptions {
  readonly drop?: boolean;
  readonly kind?: readonly string[];
  readonly verdict?: readonly string[];
  readonly reason?: readonly string[];
  readonly ip?: readonly string[];
  readonly pod?: readonly string[];
  readonly last: string;
  readonly follow: boolean;
  readonly count?: string;
}

/** The question in the words of `GET /v1/events`, which checks them. */
function monitorQuery(options: MonitorOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.drop === true) for (const kind of ["drop", "denied"]) query.append("kind", kind);
  for (const name of ["kind", "verdict", "reason", "ip", "pod"] as const)
    for (const value of options[name] ?? [])
      query.append(name, name === "pod" && !value.includes("/") ? `default/${value}` : value);
  query.append("last", options.last);
  query.append("follow", String(options.follow));
  return query;
}

function countOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`"${text}" is not a number of events: 1 or more, as -n 10`);
  return Number(text);
}

/** Adds the command. */
export function addMonitor(program: Command, io: Io): void {
  const collect = (value: string, before: readonly string[] = []) => [...before, value];
  withJson(withNodeOptions(program.command("monitor")))
    .description("what is dropped, denied and told of on this node, as it happens, and by which rule")
    .option("--drop", "only what was lost, by policy or for another reason")
    .option("--verdict <word>", "allowed, denied, dropped, would-allow or would-deny; may be repeated", collect)
    .option("--kind <word>", "drop, denied, logged or staged; may be repeated", collect)
    .option("--reason <word>", "as no_route; may be repeated", collect)
    .option("--ip <address>", "an end's address or a prefix that holds it; may be repeated", collect)
    .option("--pod <name>", "namespace/name of an end, or a name in default; may be repeated", collect)
    .option("--last <count>", "events of the past to begin with", "10")
    .option("--no-follow", "end after those of the past")
    .option("-n, --count <events>", "end after so many events")
    .action(async (options: MonitorOptions) => {
      const left = { count: countOf(options.count) };
      const { eventText, lostText } = await import("../event-text.ts");
      const show = (line: string) => {
        const told = JSON.parse(line) as ToldEvent | LostLine;
        const isEvent = !("lost" in told);
        if (options.json) io.out(`${line}\n`);
        else io.out(isEvent ? eventText(told, io.palette) : lostText(told, io.palette));
        return !isEvent || --left.count > 0;
      };
      const socket = controlSocket(await nodePaths(io, options));
      const path = `/v1/events?${monitorQuery(options)}`;
      if (options.follow) return followLines(socket, path, show);
      for (const line of (await askText(socket, path)).split("\n")) if (line !== "" && !show(line)) return;
    });
}
