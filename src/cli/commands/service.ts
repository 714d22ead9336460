/** `twill service list` and `twill service get`: where services are asked for on this node, and who answers. */

import type { Command } from "commander";
import type { BackendReport, FrontendReport, PortReport, ServiceReport } from "../../agent/service/service-report.ts";
import { nearest } from "../../base/nearest.ts";
import { ask } from "../client.ts";
import type { Palette } from "../colour.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";
import { formatTable } from "../table.ts";

const nameOf = (s: ServiceReport) => `${s.namespace}/${s.name}`;

/** `2/3`: who gets new flows there, of all that there are. */
function countText(port: PortReport, f: FrontendReport): string {
  const gets = (b: BackendReport) => (f.inside === "local" ? b.isInLocal : b.isInCluster);
  return `${port.backends.filter(gets).length}/${port.backends.length}`;
}

/** Who answers the network's question for an address. */
function announceText({ announce }: FrontendReport): string[] {
  if (announce === undefined) return [];
  if (announce.here === "held") return ["announced here"];
  const [first] = announce.nodes;
  if (first === undefined) return ["announced by nobody"];
  return [`announced by ${first}${announce.here === "standby" ? ", this node stands by" : ""}`];
}

/** What is not as it is with most. */
function traits(port: PortReport, f: FrontendReport): string {
  const words = [
    ...(f.inside === "local" ? ["inside local"] : []),
    ...(f.outside === "local" ? ["outside local"] : []),
    ...(port.affinitySeconds === undefined ? [] : [`affinity ${port.affinitySeconds}s`]),
    ...(port.algorithm === "random" ? [] : [port.algorithm]),
    ...(port.narrowedBy === undefined ? [] : [`near by ${port.narrowedBy}`]),
    ...(f.isRestricted ? [`from ${port.sources.join(" ") || "nobody"}`] : []),
    ...announceText(f),
    ...(f.lostTo === undefined ? [] : [`is ${f.lostTo}'s`]),
  ];
  return words.length === 0 ? "-" : words.join(", ");
}

function listRows(s: ServiceReport): string[][] {
  if (s.unserved !== undefined) return [[nameOf(s), s.type, "-", "-", "-", s.unserved]];
  const rows = s.ports.flatMap((port) =>
    port.frontends.map((f) => [nameOf(s), f.kind, f.address, port.protocol, countText(port, f), traits(port, f)]),
  );
  return rows.length > 0 ? rows : [[nameOf(s), s.type, "-", "-", "-", "it has no address yet"]];
}

/** Text of `twill service list`. */
export function formatServices(services: readonly ServiceReport[]): string {
  if (services.length === 0) return "There are no services.\n";
  return formatTable(["SERVICE", "KIND", "ADDRESS", "PROTOCOL", "BACKENDS", "TRAITS"], services.flatMap(listRows));
}

function answersText(b: BackendReport): string {
  const words = [...(b.isInCluster ? ["cluster"] : []), ...(b.isInLocal ? ["local"] : [])];
  return words.join(", ") || "nothing new";
}

function portText(port: PortReport, p: Palette): string {
  const title = `${port.port}/${port.protocol}${port.name === "" ? "" : ` "${port.name}"`} IPv${port.family}, number ${port.number ?? "none"}`;
  const frontends = port.frontends.map((f) => [f.kind, f.address, f.inside ?? "-", f.outside ?? "-", traits(port, f)]);
  const backends = port.backends.map((b) => {
    const state = b.state === "ready" ? p.good(b.state) : p.warn(b.state);
    return [b.address, state, answersText(b), b.node || "-", b.zone || "-", b.number === 0 ? "-" : `${b.number}`];
  });
  const noBackend = "nobody is behind it: who asks is refused\n";
  return [
    `${p.bold(title)}\n`,
    formatTable(["ASKED AT", "ADDRESS", "INSIDE", "OUTSIDE", "TRAITS"], frontends),
    backends.length === 0
      ? noBackend
      : formatTable(["BACKEND", "STATE", "ANSWERS", "NODE", "ZONE", "NUMBER"], backends),
  ].join("");
}

/** Text of `twill service get`. */
export function formatService(s: ServiceReport, p: Palette): string {
  const head = `${nameOf(s)} ${s.type}${s.unserved === undefined ? "" : `: ${s.unserved}`}\n`;
  return [head, ...s.issues.map((i) => p.warn(`! ${i}\n`)), ...s.ports.map((port) => `\n${portText(port, p)}`)].join(
    "",
  );
}

async function readServices(io: Io, options: NodeOptions): Promise<readonly ServiceReport[]> {
  return ask<ServiceReport[]>(controlSocket(await nodePaths(io, options)), "/v1/services");
}

/** @param what `namespace/name`, or a name that one namespace has @throws UsageError */
function findService(services: readonly ServiceReport[], what: string): readonly ServiceReport[] {
  const found = services.filter((s) => nameOf(s) === what || s.name === what);
  if (found.length > 0) return found;
  const near = nearest(
    what,
    services.flatMap((s) => [nameOf(s), s.name]),
  );
  const hint = near === undefined ? "twill service list shows all" : `did you mean "${near}"?`;
  throw new UsageError(`There is no service "${what}": ${hint}`);
}

/** Adds the command. */
export function addService(program: Command, io: Io): void {
  const service = program.command("service").description("where services are asked for on this node, and who answers");
  withJson(withNodeOptions(service.command("list").description("every address of every service"))).action(
    async (options: NodeOptions) => {
      const services = await readServices(io, options);
      if (options.json) printJson(io, services);
      else io.out(formatServices(services));
    },
  );
  withJson(withNodeOptions(service.command("get <service>").description("one service with its backends"))).action(
    async (what: string, options: NodeOptions) => {
      const found = findService(await readServices(io, options), what);
      if (options.json) printJson(io, found);
      else io.out(found.map((s) => formatService(s, io.palette)).join("\n"));
    },
  );
}
