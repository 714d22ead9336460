/** `twill endpoint list|get`: from the ledger, so with and without an agent. */

import type { Command } from "commander";
import type { EndpointStatus } from "../../agent/status/status.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { hasLedger, type NodeOptions, nodeBasics, withJson, withNodeOptions } from "../options.ts";
import { formatAge, formatTable } from "../table.ts";

async function readEndpoints(io: Io, options: NodeOptions): Promise<EndpointStatus[]> {
  const { paths, coolDownMs } = await nodeBasics(io, options);
  if (!hasLedger(paths)) return [];
  const { openNodeLedger } = await import("../../agent/open-node.ts");
  const { endpointStatus } = await import("../../agent/status/ledger-status.ts");
  using ledger = openNodeLedger(paths.run, coolDownMs);
  return ledger.endpoints().map(endpointStatus);
}

function row(e: EndpointStatus, nowMs: number): string[] {
  return [
    `${e.id}`,
    e.pod ?? "-",
    e.containerId.slice(0, 13),
    e.ifname,
    e.addrs.join(",") || "-",
    e.hostIfname,
    e.state,
    formatAge(nowMs - e.createdAtMs),
  ];
}

function matches(e: EndpointStatus, what: string): boolean {
  const words = [`${e.id}`, e.pod, e.pod?.split("/")[1], e.hostIfname, e.containerId, ...e.addrs];
  return words.includes(what) || (what.length >= 6 && e.containerId.startsWith(what));
}

function details(e: EndpointStatus, nowMs: number): string {
  const rows = Object.entries({
    id: e.id,
    pod: e.pod ?? "-",
    state: e.state,
    container: e.containerId,
    interface: e.ifname,
    network: e.network,
    addresses: e.addrs.join(", ") || "-",
    mac: e.mac,
    mtu: e.mtuBytes,
    "host end": `${e.hostIfname}${e.hostIfindex === undefined ? "" : ` (index ${e.hostIfindex})`}`,
    namespace: e.netnsPath,
    age: formatAge(nowMs - e.createdAtMs),
  });
  return rows.map(([name, value]) => `${name.padEnd(11)}${value}\n`).join("");
}

/** Adds the commands. */
export function addEndpoint(program: Command, io: Io): void {
  const endpoint = program.command("endpoint").description("pods' interfaces on this node");
  withJson(withNodeOptions(endpoint.command("list").description("all attachments"))).action(
    async (options: NodeOptions) => {
      const all = await readEndpoints(io, options);
      const header = ["ID", "POD", "CONTAINER", "IFNAME", "ADDRESSES", "HOST END", "STATE", "AGE"];
      if (options.json) printJson(io, all);
      else if (all.length === 0) io.out("No pod is attached on this node.\n");
      else
        io.out(
          formatTable(
            header,
            all.map((e) => row(e, io.nowMs())),
          ),
        );
    },
  );
  withJson(withNodeOptions(endpoint.command("get <what>")))
    .description("one attachment, by id, pod, container, address or host end")
    .action(async (what: string, options: NodeOptions) => {
      const found = (await readEndpoints(io, options)).filter((e) => matches(e, what));
      if (found.length === 0) throw new UsageError(`No attachment on this node is "${what}": twill endpoint list`);
      if (options.json) printJson(io, found.length === 1 ? found[0] : found);
      else io.out(found.map((e) => details(e, io.nowMs())).join("\n"));
    });
}
