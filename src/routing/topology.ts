/** Nodes and their addresses → where every prefix of the cluster lies, seen from one node, with a VXLAN between nodes. */

import type { Issue } from "../base/issue.ts";
import { routerAddr } from "../model/router-addr.ts";
import type { Addr, Family } from "../net/addr.ts";
import { IpcacheFlag } from "../net/gen/bpf-maps.ts";
import { comparePrefix, hostPrefix, type Prefix, prefixCovers } from "../net/prefix.ts";
import { type Claim, settleClaims } from "./conflicts.ts";
import type { IpcacheEntry, NodeEntry } from "./entries.ts";
import { assignNodeIds } from "./node-ids.ts";
import { type NodeNet, tunnelAddr } from "./node-net.ts";

/** What {@link planTopology} decides from. */
export interface TopologyInput {
  readonly self: NodeNet;
  /** All nodes of the cluster, with or without this one. */
  readonly nodes: readonly NodeNet[];
  readonly clusterCidrs: readonly Prefix[];
  /** Destinations outside of the cluster that see pods' own addresses. */
  readonly excludeCidrs: readonly Prefix[];
  /** Every unicast address of this node's namespace, InternalIPs and router addresses included. */
  readonly localAddrs: readonly Addr[];
  /** Family that tunnels prefer. */
  readonly tunnelFamily: Family;
  /** Numbers of nodes in use before, by address text. */
  readonly previousIds: ReadonlyMap<string, number>;
}

/** What {@link planTopology} decided; entries sorted by prefix or address. */
export interface Topology {
  readonly ipcache: readonly IpcacheEntry[];
  readonly nodes: readonly NodeEntry[];
  /** Claims that could not be honoured; everything else works without them. */
  readonly issues: readonly Issue[];
}

function podClaims(ordered: readonly NodeNet[], clusterCidrs: readonly Prefix[], issues: Issue[]): Claim[] {
  const claims: Claim[] = [];
  for (const [rank, node] of ordered.entries()) {
    for (const prefix of node.podCidrs) {
      if (clusterCidrs.some((c) => prefixCovers(c, prefix))) claims.push({ prefix, owner: node.name, rank });
      else
        issues.push({
          path: `nodes.${node.name}.podCIDRs`,
          message: `"${prefix.text}" lies outside of the cluster CIDRs ${clusterCidrs.map((c) => `"${c.text}"`).join(", ")}: configure the cluster CIDR that the nodes' CIDRs are carved from`,
        });
    }
  }
  return claims;
}

function addrClaims(ordered: readonly NodeNet[]): Claim[] {
  return ordered.flatMap((node, rank) =>
    node.internalIps.map((a) => ({ prefix: hostPrefix(a), owner: node.name, rank })),
  );
}

function remoteEntries(claims: readonly Claim[], tunnelOf: (name: string) => Tunnel | undefined, isPod: boolean) {
  const entries: IpcacheEntry[] = [];
  const { noMasquerade, remoteNode, podCidr } = IpcacheFlag;
  for (const { prefix, owner } of claims) {
    const via = tunnelOf(owner);
    if (via === undefined) continue;
    const node = { flags: noMasquerade | remoteNode, ...via };
    if (!isPod) {
      entries.push({ prefix, ...node });
      continue;
    }
    entries.push({ prefix, flags: noMasquerade | podCidr, ...via });
    entries.push({ prefix: hostPrefix(routerAddr(prefix)), ...node, flags: node.flags | podCidr });
  }
  return entries;
}

interface Tunnel {
  readonly tunnel: Addr;
  readonly nodeId: number;
}

const here = { tunnel: undefined, nodeId: 0 };

function worldEntries(input: TopologyInput): IpcacheEntry[] {
  // A part of a cluster CIDR that no node has yet: kept inside, so that it can neither be masqueraded nor leak.
  return [...input.excludeCidrs, ...input.clusterCidrs].map((prefix) => ({
    prefix,
    flags: IpcacheFlag.noMasquerade,
    ...here,
  }));
}

function localEntries(input: TopologyInput, ownCidrs: readonly Prefix[]): IpcacheEntry[] {
  const { noMasquerade, localNode, podCidr } = IpcacheFlag;
  const own = [...input.localAddrs, ...input.self.internalIps, ...ownCidrs.map(routerAddr)];
  return [
    ...ownCidrs.map((prefix) => ({ prefix, flags: noMasquerade | podCidr, ...here })),
    ...own.map((a) => ({ prefix: hostPrefix(a), flags: noMasquerade | localNode, ...here })),
  ];
}

/** Later entries replace earlier ones of the same prefix: least specific meaning first. */
function unique(entries: readonly IpcacheEntry[]): IpcacheEntry[] {
  const byPrefix = new Map(entries.map((e) => [e.prefix.text, e]));
  return [...byPrefix.values()].sort((a, b) => comparePrefix(a.prefix, b.prefix));
}

/** Decides where every prefix lies. The same input gives the same output, row for row. */
export function planTopology(input: TopologyInput): Topology {
  const remotes = input.nodes.filter((n) => n.name !== input.self.name);
  const ordered = [input.self, ...[...remotes].sort((a, b) => (a.name < b.name ? -1 : 1))];
  const issues: Issue[] = [];
  const ids = assignNodeIds(ordered.slice(1), input.previousIds);
  const pods = settleClaims(podClaims(ordered, input.clusterCidrs, issues));
  const addrs = settleClaims(
    addrClaims(ordered),
    "give each node its own, or delete the Node object of a name that a node had before",
  );
  issues.push(...pods.issues, ...addrs.issues);

  const tunnels = new Map<string, Tunnel>();
  for (const node of ordered.slice(1)) {
    const tunnel = tunnelAddr(node, input.tunnelFamily);
    const nodeId = ids.get(node.name);
    if (tunnel !== undefined && nodeId !== undefined) tunnels.set(node.name, { tunnel, nodeId });
    else if (node.podCidrs.length > 0)
      issues.push({
        path: `nodes.${node.name}`,
        message: tunnel === undefined ? "No InternalIP: its pods cannot be reached" : "No number left for this node",
      });
  }
  const isSelf = (c: Claim) => c.owner === input.self.name;
  const others = (claims: readonly Claim[]) => claims.filter((c) => !isSelf(c));
  const via = (name: string) => tunnels.get(name);
  const ownCidrs = pods.kept.filter(isSelf).map((c) => c.prefix);
  const nodes = others(addrs.kept).flatMap((c) => {
    const t = via(c.owner);
    return t === undefined ? [] : [{ addr: c.prefix.addr, nodeId: t.nodeId }];
  });
  return {
    ipcache: unique([
      ...worldEntries(input),
      ...remoteEntries(others(pods.kept), via, true),
      ...remoteEntries(others(addrs.kept), via, false),
      ...localEntries(input, ownCidrs),
    ]),
    nodes,
    issues,
  };
}
