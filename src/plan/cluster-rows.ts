/**
 * The rows that follow from the cluster alone: by far the most of a node's rows, and the ones that change least. They are
 * computed anew only when what they follow from has changed.
 */

import type { Issue } from "../base/issue.ts";
import { planTopology, type TopologyInput } from "../routing/topology.ts";
import { hashRows, ipcacheRow, nodeRow } from "./map-rows.ts";
import type { MapRow } from "./rows.ts";

/** What the rows follow from; numbers of nodes aside. */
export type ClusterInput = Omit<TopologyInput, "previousIds">;

/** Rows of the maps `nodes` and `ipcache`. The same arrays as before when nothing has changed. */
export interface ClusterRows {
  readonly nodes: readonly MapRow[];
  readonly ipcache: readonly MapRow[];
  /** Of the contents of both. */
  readonly hash: number;
  /** Numbers of the nodes by address text. */
  readonly ids: ReadonlyMap<string, number>;
  readonly issues: readonly Issue[];
}

/** The same rows in one piece of memory: with a buffer each, a short key takes twenty times its length. */
function packed(rows: readonly MapRow[]): MapRow[] {
  const bytes = new Uint8Array(rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0));
  let end = 0;
  const kept = (part: Uint8Array) => {
    bytes.set(part, end);
    end += part.length;
    return bytes.subarray(end - part.length, end);
  };
  return rows.map(({ key, value }) => ({ key: kept(key), value: kept(value) }));
}

/** Computes the rows. @param previousIds numbers in use before, by address text */
export function planClusterRows(input: ClusterInput, previousIds: ReadonlyMap<string, number>): ClusterRows {
  const topology = planTopology({ ...input, previousIds });
  const nodes = packed(topology.nodes.map(nodeRow));
  const ipcache = packed(topology.ipcache.map(ipcacheRow));
  return {
    nodes,
    ipcache,
    hash: hashRows([nodes, ipcache]),
    ids: new Map(topology.nodes.map((n) => [n.addr.text, n.nodeId])),
    issues: topology.issues,
  };
}

function isSame(a: ClusterInput, b: ClusterInput): boolean {
  return (
    a.self === b.self &&
    a.nodes === b.nodes &&
    a.clusterCidrs === b.clusterCidrs &&
    a.excludeCidrs === b.excludeCidrs &&
    a.tunnelFamily === b.tunnelFamily &&
    a.localAddrs.length === b.localAddrs.length &&
    a.localAddrs.every((x, i) => x.text === b.localAddrs[i]?.text)
  );
}

/**
 * {@link planClusterRows} that remembers its last answer.
 * @param firstIds numbers in use before the first call; later ones follow from the answers
 */
export function rememberingClusterRows(
  firstIds: () => ReadonlyMap<string, number>,
): (input: ClusterInput) => ClusterRows {
  let last: { readonly input: ClusterInput; readonly rows: ClusterRows } | undefined;
  return (input) => {
    if (last !== undefined && isSame(last.input, input)) return last.rows;
    const rows = planClusterRows(input, last?.rows.ids ?? firstIds());
    last = { input, rows };
    return rows;
  };
}
