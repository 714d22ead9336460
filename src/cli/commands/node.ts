/** `twill node list`. */

import type { Command } from "commander";
import type { NodeStatus } from "../../agent/status/status.ts";
import { ask } from "../client.ts";
import { type Io, printJson } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";
import { formatTable } from "../table.ts";

function row(n: NodeStatus): string[] {
  const via = n.isSelf ? "this node" : (n.tunnel ?? "unreachable");
  return [n.name, via, n.nodeId === undefined ? "-" : `${n.nodeId}`, n.internalIps.join(","), n.podCidrs.join(",")];
}

/** Adds the command. */
export function addNode(program: Command, io: Io): void {
  const node = program.command("node").description("nodes of the cluster as this node reaches them");
  withJson(withNodeOptions(node.command("list").description("all nodes"))).action(async (options: NodeOptions) => {
    const nodes = await ask<NodeStatus[]>(controlSocket(await nodePaths(io, options)), "/v1/nodes");
    if (options.json) printJson(io, nodes);
    else io.out(formatTable(["NAME", "VIA", "ID", "INTERNAL IPS", "POD CIDRS"], nodes.map(row)));
  });
}
