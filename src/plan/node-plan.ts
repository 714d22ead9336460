/**
 * The plan of a node: cluster, endpoints, configuration and a look at the kernel → everything that shall stand in that
 * kernel. Pure; the same input gives the same rows, byte for byte.
 *
 * `src/plan` never asks a kernel, a clock or a file: what it must know comes in, what it wants goes out as rows.
 */

import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { routerAddr } from "../model/router-addr.ts";
import type { Addr } from "../net/addr.ts";
import type { NodeNet } from "../routing/node-net.ts";
import type { ClusterInput, ClusterRows } from "./cluster-rows.ts";
import type { NodeFacts } from "./facts.ts";
import { findForeign } from "./foreign.ts";
import { HOST_PORTS_MAP } from "./host-ports.ts";
import { planAddrs, planLinks, planRoutes } from "./links.ts";
import { configRow, hashRows } from "./map-rows.ts";
import { HOST_LINK, HOST_PEER_LINK, isNodeLink, VXLAN_LINK } from "./names.ts";
import {
  type AttachRow,
  type ControlGroup,
  type MapRow,
  type NodeTables,
  SOCKET_HOOKS,
  type SocketHookRow,
} from "./rows.ts";
import type { NetworkSettings } from "./settings.ts";
import { SHAPERS_MAP, type ShaperRows } from "./shaper.ts";
import { planSysctls } from "./sysctls.ts";
import { findUnderlay, type Underlay } from "./underlay.ts";

/** An attached pod's part of the tables. */
export interface EndpointRows {
  /** The program on the host end of its veth. */
  readonly attachment: AttachRow;
  readonly rows: readonly MapRow[];
  /** Entries of {@link HOST_PORTS_MAP}; empty for most. */
  readonly hostPorts: readonly MapRow[];
  /** What limits it; empty for most. */
  readonly shaper: ShaperRows;
  /** Entries of {@link SHAPERS_MAP}. */
  readonly shaperRows: readonly MapRow[];
}

/** What {@link planNode} decides from. */
export interface NodePlanInput {
  readonly settings: NetworkSettings;
  /** This node, with its pod CIDRs. */
  readonly self: NodeNet;
  /** All nodes. */
  readonly nodes: readonly NodeNet[];
  readonly endpoints: readonly EndpointRows[];
  readonly facts: NodeFacts;
  /** Computes the rows that follow from the cluster alone, or remembers them. */
  readonly clusterRows: (input: ClusterInput) => ClusterRows;
  /** The control group whose sockets are given backends of services, or why there is none; undefined: none is wanted. */
  readonly sockets: Result<ControlGroup> | undefined;
  /** Policy speaks of the node itself. */
  readonly hasHostPolicy: boolean;
  /** There are services. */
  readonly hasServices: boolean;
  /** Mixed into the revision: another value makes flows look their decisions up anew. */
  readonly epoch: number;
}

/** What {@link planNode} decided. */
export interface NodePlan {
  readonly tables: NodeTables;
  readonly underlay: Underlay;
  readonly routers: readonly Addr[];
  /** What could not be honoured; everything else works without it. */
  readonly issues: readonly Issue[];
}

function planAttachments(underlay: Underlay, endpoints: readonly EndpointRows[]): AttachRow[] {
  return [
    { link: HOST_PEER_LINK, direction: "ingress", program: "from_host" },
    { link: VXLAN_LINK, direction: "ingress", program: "from_tunnel" },
    ...underlay.devices.flatMap(({ name: link }): AttachRow[] => [
      { link, direction: "ingress", program: "from_wire" },
      { link, direction: "egress", program: "to_wire" },
    ]),
    ...endpoints.flatMap((e) => [e.attachment, ...e.shaper.attachments]),
  ];
}

function planSocketHooks(sockets: Result<ControlGroup> | undefined): { rows: SocketHookRow[]; issues: Issue[] } {
  if (sockets === undefined) return { rows: [], issues: [] };
  if (sockets.ok)
    return { rows: SOCKET_HOOKS.map((hook) => ({ hook, program: `sock_${hook}`, group: sockets.value })), issues: [] };
  const message = `${sockets.error}: what sockets ask of services is translated packet by packet`;
  return { rows: [], issues: [{ path: "services.socketCgroup", message }] };
}

function planMaps(input: NodePlanInput, underlay: Underlay, routers: readonly Addr[]) {
  const { facts, settings } = input;
  const ownAddrs = facts.links.filter((l) => !isNodeLink(l.name)).flatMap((l) => l.addrs.map((a) => a.addr));
  const cluster = input.clusterRows({
    self: input.self,
    nodes: input.nodes,
    clusterCidrs: settings.clusterCidrs,
    excludeCidrs: settings.masquerade.excludeCidrs,
    localAddrs: ownAddrs.filter((a) => !isLinkLocal(a) && !isLoopback(a)),
    tunnelFamily: underlay.family,
  });
  const maps = new Map<string, readonly MapRow[]>();
  maps.set(
    "endpoints",
    input.endpoints.flatMap((e) => e.rows),
  );
  maps.set(
    HOST_PORTS_MAP,
    input.endpoints.flatMap((e) => e.hostPorts),
  );
  maps.set(
    SHAPERS_MAP,
    input.endpoints.flatMap((e) => e.shaperRows),
  );
  maps.set("nodes", cluster.nodes);
  maps.set("ipcache", cluster.ipcache);
  const ifindex = (name: string) => facts.links.find((l) => l.name === name)?.ifindex;
  const [host, peer, tunnel] = [ifindex(HOST_LINK), ifindex(HOST_PEER_LINK), ifindex(VXLAN_LINK)];
  // Without its devices a node has no configuration yet: the programs drop what they are not configured for.
  if (host !== undefined && peer !== undefined && tunnel !== undefined) {
    const configFacts = {
      nodeV4: underlay.sourceV4,
      nodeV6: underlay.sourceV6,
      routerV4: routers.find((a) => a.family === 4),
      routerV6: routers.find((a) => a.family === 6),
      hostIfindex: host,
      hostPeerIfindex: peer,
      tunnelIfindex: tunnel,
      podMtuBytes: underlay.podMtuBytes,
      hasHostPolicy: input.hasHostPolicy,
      tracksConnections: facts.tracksConnections,
      hasServices: input.hasServices,
    };
    const own = [configRow(settings, configFacts, input.epoch)];
    const revision = hashRows([own], cluster.hash) || 1;
    maps.set("config", [configRow(settings, configFacts, revision)]);
  }
  return { maps, issues: cluster.issues };
}

/** Every device has its own `fe80::/10`: such an address says nothing about where it is. */
function isLinkLocal(a: Addr): boolean {
  return a.family === 6 && a.bytes[0] === 0xfe && ((a.bytes[1] ?? 0) & 0xc0) === 0x80;
}

function isLoopback(a: Addr): boolean {
  return a.family === 4 ? a.bytes[12] === 127 : a.text === "::1";
}

/** Plans a node that has its pod CIDRs. */
export function planNode(input: NodePlanInput): NodePlan {
  const { settings, facts, self } = input;
  const underlay = findUnderlay(settings, self, facts);
  const mtuBytes = underlay.podMtuBytes;
  const routers = self.podCidrs.filter((c) => facts.hasIpv6 || c.family === 4).map(routerAddr);
  const { maps, issues } = planMaps(input, underlay, routers);
  const sockets = planSocketHooks(input.sockets);
  return {
    tables: {
      links: [...planLinks(mtuBytes, settings.tunnel.port), ...input.endpoints.flatMap((e) => e.shaper.links)],
      addrs: planAddrs(routers),
      routes: planRoutes(settings.clusterCidrs, routers, mtuBytes),
      sysctls: planSysctls(facts),
      qdiscs: input.endpoints.flatMap((e) => e.shaper.qdiscs),
      attachments: planAttachments(underlay, input.endpoints),
      socketHooks: sockets.rows,
      maps,
    },
    underlay,
    routers,
    issues: [...findForeign(settings, facts), ...underlay.issues, ...issues, ...sockets.issues],
  };
}
