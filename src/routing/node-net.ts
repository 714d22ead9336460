/**
 * What routing knows of a node. Nothing else of a cluster's Node object matters for where a packet goes.
 *
 * `src/routing` answers one question: given all nodes and how they reach each other, which prefix lies where? It never
 * knows of maps, devices or programs.
 */

import type { Node } from "../model/node.ts";
import type { Addr, Family } from "../net/addr.ts";

/**
 * One node of the cluster as routing sees it: the first InternalIP of a family is the node's address of that family; the
 * pod CIDRs are empty until somebody carved them.
 */
export type NodeNet = Pick<Node, "name" | "internalIps" | "podCidrs"> & Partial<Pick<Node, "poolCidrs">>;

/**
 * The address that tunnels to a node are sent to: of the wanted family where the node has it, of the other otherwise.
 * undefined: the node has no address yet.
 */
export function tunnelAddr(node: NodeNet, family: Family): Addr | undefined {
  return node.internalIps.find((a) => a.family === family) ?? node.internalIps[0];
}
