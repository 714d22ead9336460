/** A compiled node in the maps of the programs under test, and first packets of flows that its endpoints take part in. */

import type { Addr } from "../../src/net/addr.ts";
import { IpcacheFlag } from "../../src/net/gen/bpf-maps.ts";
import { classMapRow, identityMapRow, POLICY_MAPS, peerMapRow, setMapRows } from "../../src/plan/policy-rows.ts";
import type { Flow } from "../../src/policy/literal/flow.ts";
import type { CompiledNode } from "../../src/policy/testing/compiled.ts";
import { echo, frame, icmp, icmp6, PROTO, payload, raw, sctp, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { switchOn } from "./host-way.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { type Step, VIA_NODE2 } from "./policy-way.ts";

const POD = { ifindex: 1, mac: NODE.podA.mac, flags: 0 } as const;
const UDP_LITE = 136;
const LOCAL_NODE = IpcacheFlag.noMasquerade | IpcacheFlag.localNode;
/** The node itself: it has no devices that anybody names. */
const HOST = "host 0";

/** Writes what an agent of that node would write, in place of all that there was. Everybody else is behind node 2. */
export function writeNode(plane: Plane, node: CompiledNode, ends: readonly Addr[], bank: number): void {
  plane.clear();
  plane.putConfig();
  plane.putNodes();
  for (const everywhere of ["0.0.0.0/0", "::/0"])
    plane.putIpcache(everywhere, IpcacheFlag.noMasquerade, 2, NODE.remoteNode.v4);
  const { sets, peers, classes, endpoints } = node.tables;
  for (const [set, rows] of sets) plane.putRows(POLICY_MAPS.sets, setMapRows(set, rows));
  for (const [number, of] of peers)
    plane.putRows(
      POLICY_MAPS.peers,
      [...of].map(([identity, set]) => peerMapRow(number, identity, set)),
    );
  for (const [number, row] of classes) plane.putRows(POLICY_MAPS.classes, [classMapRow(bank, number, row)]);
  plane.putRows(
    POLICY_MAPS.identities,
    [...node.partition.rows()].map((row) => identityMapRow(bank, row)),
  );
  for (const end of ends) {
    const key = node.endpointAt(end) ?? "";
    const own = endpoints.get(key);
    if (own !== undefined && key !== HOST)
      plane.putEndpoint(end.text, POD, { ingressClass: own.ingress, egressClass: own.egress });
  }
  for (const a of node.ownAddrs) plane.putIpcache(`${a.text}/${a.family === 4 ? 32 : 128}`, LOCAL_NODE, 1);
  const host = endpoints.get(HOST);
  if (host !== undefined) {
    plane.putHost(0, { ingressClass: host.ingress, egressClass: host.egress });
    switchOn(plane);
  }
  plane.announceEndpoints();
  plane.announcePolicy();
}

function transportOf(family: 4 | 6, protocol: number, port: number): Transport | undefined {
  switch (protocol) {
    case PROTO.tcp:
      return tcp(40_000, port, { flags: TCP_FLAG.syn });
    case PROTO.udp:
      return udp(40_000, port);
    case PROTO.sctp:
      return sctp(40_000, port);
    case UDP_LITE:
      return raw(UDP_LITE, udp(40_000, port).bytes);
    case PROTO.icmp:
    case PROTO.icmp6:
      if ((protocol === PROTO.icmp) !== (family === 4))
        return port === 0 ? raw(protocol, echo(family, 1).bytes) : undefined;
      return (family === 4 ? icmp : icmp6)(port >> 8, port & 0xff, [0, 1, 0, 1], payload(8));
    default:
      return port === 0 ? raw(protocol, payload(16)) : undefined;
  }
}

/**
 * A flow's first packet as it comes by; undefined: no endpoint of the node takes part, or no packet is like that.
 * @param isPod whether the address is a pod's, of whatever node
 */
export function firstPacket(
  node: CompiledNode,
  { from, to, protocol, port }: Flow,
  isPod: (a: Addr) => boolean,
): Omit<Step, "metric"> | undefined {
  const transport = transportOf(from.family, protocol, port);
  if (transport === undefined) return undefined;
  const bytes = frame(from.text, to.text, transport, { srcMac: POD.mac });
  const [sender, receiver] = [node.endpointAt(from), node.endpointAt(to)];
  const isOwn = (a: Addr) => node.ownAddrs.some((own) => own.text === a.text);
  if (isOwn(from)) {
    // What the node sends to itself never leaves it.
    if (isOwn(to) || (sender ?? receiver) === undefined) return undefined;
    return isPod(to) ? { program: "from_host", frame: bytes } : { program: "to_wire", frame: bytes };
  }
  if (sender !== undefined) return { program: "from_pod", frame: bytes };
  if (receiver === HOST && !isPod(from)) return { program: "from_wire", frame: bytes };
  return receiver === undefined ? undefined : { program: "from_tunnel", frame: bytes, options: VIA_NODE2 };
}
