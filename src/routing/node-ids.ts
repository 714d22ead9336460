/** Numbers for nodes: meaningful on this node only, stable for as long as the node keeps any of its addresses. */

import type { NodeNet } from "./node-net.ts";

/** Highest number; the map's field has 16 bits. */
export const MAX_NODE_ID = 65535;

/**
 * Gives each node a number. A node that had one keeps it (found by any of its addresses), so that a restarted agent
 * changes no row and no tunnelled packet meets half-renumbered maps.
 *
 * @param previous numbers in use before, by address text, as the `nodes` map shows them
 * @returns numbers by node name; a node beyond {@link MAX_NODE_ID} nodes gets none
 */
export function assignNodeIds(
  nodes: readonly NodeNet[],
  previous: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  const taken = new Set<number>();
  for (const node of nodes) {
    const known = node.internalIps.map((a) => previous.get(a.text)).find((id) => id !== undefined && !taken.has(id));
    if (known === undefined || known < 1 || known > MAX_NODE_ID) continue;
    ids.set(node.name, known);
    taken.add(known);
  }
  let next = 1;
  for (const node of nodes) {
    if (ids.has(node.name)) continue;
    while (taken.has(next)) next++;
    if (next > MAX_NODE_ID) break;
    ids.set(node.name, next);
    taken.add(next);
  }
  return ids;
}
