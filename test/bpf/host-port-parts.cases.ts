/** Ports of the node that lead to its pods: other addresses, what is refused, and what belongs to the flow. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { frame, icmpError, ipPacket, PROTO, payload, raw, udp } from "./frames.ts";
import {
  ANY,
  asks,
  BY_TUNNEL,
  LIMITED,
  LOOPBACK,
  leads,
  onwards,
  open,
  PORT,
  question,
  SYN,
  WAYS,
  type Way,
} from "./host-port-way.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { BACK, CLIENT, FROM_WIRE, putFrontend, SERVED } from "./service-way.ts";
import { OUTSIDE } from "./service-wire-way.ts";
import { bothFamilies, familyOf, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, second, outside } = NODE;

const [near, , far, , beyond] = WAYS as readonly [Way, Way, Way, Way, Way];

/** A pod's port is open, and a pod of another node has asked by it. */
function openAndAsked(plane: Plane, f: Word): void {
  open(plane, podA[f], ANY[f]);
  plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
}

export const HOST_PORT_PARTS_CASES: readonly Case[] = bothFamilies.flatMap((f): Case[] => [
  asks(f, near, "a port of another node is that node's", {
    frame: question(f, near, SYN, remoteNode[f]),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
  }),
  ...[near, beyond].map((way) =>
    asks(f, way, "at an address that only the routing table knows", { frame: question(f, way, SYN, second[f]) }),
  ),
  asks(f, near, "an address outside that a port is said to be open at", {
    before: (plane) => open(plane, podB[f], outside[f]),
    frame: question(f, near, SYN, outside[f]),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "ct_created"],
  }),
  asks(f, beyond, "what is for the node's loopback is not taken from the wire", {
    before: (plane) => open(plane, podA[f], LOOPBACK[f]),
    frame: question(f, beyond, SYN, LOOPBACK[f]),
    verdict: "next",
    metrics: [],
  }),
  asks(f, beyond, "an impossible client is the stack's to judge", {
    frame: frame(podB[f], node[f], SYN, FROM_WIRE),
    verdict: "next",
    metrics: [],
  }),
  ...[near, beyond].map((way) =>
    asks(f, way, "a service that has the port counts first", {
      before: (plane) => {
        open(plane, way.pod(f), ANY[f]);
        plane.putConfig({ flags: SERVED });
        const to = [{ addr: podC[f], port: 9999 }];
        putFrontend(plane, { addr: ANY[f], port: PORT, flags: OUTSIDE, inside: to, outside: to });
      },
      ...LIMITED,
      check: (d) => leads(d, way.client(f), CLIENT, podC[f], 9999),
    }),
  ),
  asks(f, far, "what pods of other nodes ask of a service here is not a host port's", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.putConfig({ flags: SERVED });
      putFrontend(plane, { addr: ANY[f], port: PORT, flags: OUTSIDE, inside: [{ addr: podB[f] }] });
    },
    ...onwards(far),
  }),
  asks(f, far, "from somebody who is no node", {
    options: { tunnel: { from: "192.168.77.99" } },
    verdict: "drop",
    metrics: ["drop_node_unknown"],
  }),
  asks(f, far, "from a pod that is not the sending node's", {
    frame: frame(outside[f], node[f], SYN),
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  }),
  asks(f, far, "what the wire brings in its name is not its flow", {
    program: "from_wire",
    before: (plane) => openAndAsked(plane, f),
    frame: frame(remote[f], node[f], udp(CLIENT, PORT), FROM_WIRE),
    options: {},
    verdict: "next",
    metrics: [],
  }),
  asks(f, far, "a later fragment follows the first", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      const first = { id: 99, offset: 0, more: true } as const;
      plane.run(
        "from_tunnel",
        frame(remote[f], node[f], udp(CLIENT, PORT, payload(24)), { fragment: first }),
        BY_TUNNEL,
      );
    },
    frame: frame(remote[f], node[f], raw(PROTO.udp, payload(24)), { fragment: { id: 99, offset: 4, more: false } }),
    metrics: ["forward_local", "fragment", "service_forward"],
  }),
  asks(f, far, "an ICMP error about an answer reaches the pod", {
    before: (plane) => openAndAsked(plane, f),
    frame: frame(remote[f], node[f], icmpError(familyOf(f), ipPacket(node[f], remote[f], udp(PORT, CLIENT)))),
    metrics: ["forward_local", "icmp_related", "service_forward"],
    check: (d) => assert.deepEqual([d.src, d.dst], [remote[f], podA[f]]),
  }),
  asks(f, far, "an answer that does not fit the tunnel is the stack's to cut up, or to refuse", {
    before: (plane) => openAndAsked(plane, f),
    program: "from_pod",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT, payload(NODE.tunnelMtu))),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "slow_mtu"],
    check: (d) => leads(d, podA[f], BACK, remote[f], CLIENT),
  }),
  asks(f, far, "an answer that the stack has cut up goes on", {
    before: (plane) => openAndAsked(plane, f),
    program: "from_host",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "service_reply"],
    check: (d) => leads(d, node[f], PORT, remote[f], CLIENT),
  }),
  asks(f, far, "an answer without a hop left ends", {
    before: (plane) => openAndAsked(plane, f),
    program: "from_pod",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT), { ttl: 1 }),
    isDroppedLate: true,
    verdict: "drop",
    metrics: ["service_reply", "drop_ttl"],
  }),
  asks(f, far, "an established flow to the node itself goes on when somebody gets its port", {
    before: (plane) => {
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
      plane.run("from_host", frame(node[f], remote[f], udp(PORT, CLIENT)));
      open(plane, podA[f], ANY[f]);
    },
    frame: question(f, far, udp(CLIENT, PORT)),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
  }),
]);
