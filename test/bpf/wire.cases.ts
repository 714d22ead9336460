/** What to_wire and from_wire do: masquerading, and its reversal. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { CtFlag, IpcacheFlag, NatDirection } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import {
  echo,
  frame,
  icmp,
  icmp6,
  icmpError,
  ipPacket,
  PROTO,
  payload,
  raw,
  sctp,
  TCP_FLAG,
  type Transport,
  tcp,
  udp,
} from "./frames.ts";
import { NODE } from "./node.ts";
import { type Plane, text } from "./plane.ts";
import { ownEchoCases } from "./wire-own-echo.cases.ts";
import { bothFamilies, familyOf, MACS, onePort, out, PORT, sent, type Word } from "./wire-way.ts";

const { podA, outside, node, remoteNode } = NODE;

function translates(f: Word, name: string, t: Transport, port: number): Case {
  return {
    name: `${f}: ${name} leaves with the node's address`,
    program: "to_wire",
    before: (plane) => {
      onePort(plane);
      plane.run("from_pod", frame(podA[f], outside[f], t));
    },
    frame: frame(podA[f], outside[f], t, MACS),
    verdict: "next",
    metrics: ["nat_out", "nat_created"],
    check: (d, _, plane) => {
      assert.deepEqual([d.src, d.dst, d.srcPort, d.ttl], [node[f], outside[f], port, 64]);
      const rows = plane.translations();
      assert.equal(rows.length, 2);
      const back = rows.find((r) => r.key.direction === NatDirection.in);
      assert.ok(back !== undefined);
      assert.deepEqual([text(back.key.src), text(back.key.dst), text(back.entry.addr)], [outside[f], node[f], podA[f]]);
    },
  };
}

function returns(f: Word, name: string, asked: Transport, answer: Transport, port: number): Case {
  return {
    name: `${f}: the answer to ${name} goes to the pod`,
    program: "from_wire",
    before: (plane) => out(plane, f, asked),
    frame: frame(outside[f], node[f], answer, MACS),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "nat_in"],
    check: (d, _, plane) => {
      assert.deepEqual([d.src, d.dst, d.dstPort, d.ttl, d.dstMac], [outside[f], podA[f], port, 63, podA.mac]);
      const flow = [...plane.flows(), ...plane.flows("ct_other")][0];
      assert.notEqual(flow?.entry.replySeen, 0, "the flow saw the reply");
    },
  };
}

const translations: Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = familyOf(f);
  return [
    translates(f, "TCP", tcp(4000, 80, { flags: TCP_FLAG.syn }), PORT),
    translates(f, "UDP", udp(4000, 53), PORT),
    translates(f, "UDP without a checksum", udp(4000, 53, payload(8), false), PORT),
    translates(f, "UDP of no bytes", udp(4000, 53, payload(0)), PORT),
    translates(f, "an echo", echo(family, 4000), PORT),
    translates(f, "SCTP", sctp(4000, 80), 4000),
    translates(f, "GRE", raw(PROTO.gre, payload(8)), 0x030a),
    returns(f, "TCP", tcp(4000, 80), tcp(80, PORT, { flags: TCP_FLAG.syn | TCP_FLAG.ack }), 4000),
    returns(f, "UDP", udp(4000, 53), udp(53, PORT), 4000),
    returns(f, "UDP without a checksum", udp(4000, 53), udp(53, PORT, payload(8), false), 4000),
    returns(f, "an echo", echo(family, 4000), echo(family, PORT, true), 4000),
    ...ownEchoCases(f),
    returns(f, "SCTP", sctp(4000, 80), sctp(80, 4000), 4000),
    {
      name: `${f}: a flow keeps its port`,
      program: "to_wire",
      before: (plane) => {
        out(plane, f, udp(4000, 53));
        plane.putConfig();
      },
      frame: frame(podA[f], outside[f], udp(4000, 53), MACS),
      verdict: "next",
      metrics: ["nat_out"],
      check: (d) => assert.equal(d.srcPort, PORT),
    },
    {
      name: `${f}: two flows of one port to two places may share the node's port`,
      program: "to_wire",
      before: (plane) => {
        out(plane, f, udp(4000, 53));
        sent(plane, f, udp(4000, 54));
      },
      frame: frame(podA[f], outside[f], udp(4000, 54), MACS),
      verdict: "next",
      metrics: ["nat_out", "nat_created"],
      check: (d) => assert.equal(d.srcPort, PORT),
    },
    {
      name: `${f}: a port that is taken is not given twice`,
      program: "to_wire",
      before: (plane) => {
        out(plane, f, udp(4000, 53));
        sent(plane, f, udp(4001, 53));
      },
      frame: frame(podA[f], outside[f], udp(4001, 53), MACS),
      verdict: "drop",
      metrics: ["nat_collision", "drop_nat_no_port"],
    },
    {
      name: `${f}: two protocols of one port without a choice`,
      program: "to_wire",
      before: (plane) => {
        out(plane, f, sctp(4000, 80));
        plane.putEndpoint(NODE.podB[f], { ...NODE.podB, ifindex: 1 });
        plane.run("from_pod", frame(NODE.podB[f], outside[f], sctp(4000, 80), { srcMac: NODE.podB.mac }));
      },
      frame: frame(NODE.podB[f], outside[f], sctp(4000, 80), MACS),
      verdict: "drop",
      metrics: ["nat_collision", "drop_nat_no_port"],
    },
    {
      name: `${f}: a protocol that cannot be masqueraded`,
      program: "to_wire",
      before: (plane) => sent(plane, f, raw(PROTO.ospf, payload(20))),
      frame: frame(podA[f], outside[f], raw(PROTO.ospf, payload(20)), MACS),
      verdict: "drop",
      metrics: ["drop_nat_protocol"],
    },
    {
      name: `${f}: a pod's packet to the tunnel's port would become this node's own tunnel packet`,
      program: "to_wire",
      before: (plane) => sent(plane, f, udp(4000, 8472)),
      frame: frame(podA[f], outside[f], udp(4000, 8472), MACS),
      verdict: "drop",
      metrics: ["drop_tunnel_spoofed"],
    },
    {
      name: `${f}: what the stack has translated to another node's address leaves as it is, and is noted`,
      program: "to_wire",
      frame: frame(podA[f], remoteNode[f], tcp(4000, 6443, { flags: TCP_FLAG.syn }), MACS),
      verdict: "next",
      metrics: ["ct_created"],
      check: (d) => assert.deepEqual([d.src, d.srcPort], [podA[f], 4000]),
    },
    {
      name: `${f}: the answer of another node meets the stack that has translated the question`,
      program: "from_tunnel",
      before: (plane) =>
        plane.run("to_wire", frame(podA[f], remoteNode[f], tcp(4000, 6443, { flags: TCP_FLAG.syn }), MACS)),
      frame: frame(remoteNode[f], podA[f], tcp(6443, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack })),
      options: { tunnel: { from: remoteNode.v4 } },
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack"],
    },
    {
      name: `${f}: a packet to another node that the stack took over for its size does not change its flow`,
      program: "to_wire",
      before: (plane) => plane.run("from_pod", frame(podA[f], remoteNode[f], udp(4000, 53))),
      frame: frame(podA[f], remoteNode[f], udp(4000, 53), MACS),
      verdict: "next",
      metrics: [],
      check: (_, __, plane) => assert.equal((plane.flows("ct_other")[0]?.entry.flags ?? 0) & CtFlag.viaStack, 0),
    },
    {
      name: `${f}: a malformed packet of a pod`,
      program: "to_wire",
      frame: frame(podA[f], outside[f], raw(PROTO.tcp, payload(9)), MACS),
      verdict: "drop",
      metrics: ["drop_malformed"],
    },
  ];
});

function untouched(
  name: string,
  program: "to_wire" | "from_wire",
  bytes: Uint8Array,
  before?: (plane: Plane) => void,
): Case {
  return {
    name,
    program,
    ...(before === undefined ? {} : { before }),
    frame: bytes,
    verdict: "next",
    metrics: [],
    check: (_, ran) => assert.deepEqual(ran.frame, new Uint8Array(bytes)),
  };
}

const passing: Case[] = bothFamilies
  .flatMap((f): Case[] => [
    untouched(`${f}: the node's own packets`, "to_wire", frame(node[f], outside[f], udp(1, 2), MACS)),
    untouched(
      `${f}: packets of others`,
      "to_wire",
      frame(outside[f], f === "v4" ? "10.9.9.9" : "fd09::9", udp(1, 2), MACS),
    ),
    untouched(
      `${f}: a pod's packet to an excluded network`,
      "to_wire",
      frame(podA[f], outside[f], udp(1, 2), MACS),
      (plane) => {
        plane.putIpcache(f === "v4" ? "198.51.100.0/24" : "2001:db8:51::/64", IpcacheFlag.noMasquerade, 0);
        sent(plane, f, udp(1, 2));
      },
    ),
    untouched(
      `${f}: a pod's packet when masquerading is off`,
      "to_wire",
      frame(podA[f], outside[f], udp(1, 2), MACS),
      (plane) => {
        plane.putConfig({ flags: 0 });
        sent(plane, f, udp(1, 2));
      },
    ),
    untouched(
      `${f}: a pod's multicast`,
      "to_wire",
      frame(podA[f], f === "v4" ? "224.0.0.1" : "ff0e::1", udp(1, 2), MACS),
    ),
    untouched(
      `${f}: before the node is configured, out`,
      "to_wire",
      frame(podA[f], outside[f], udp(1, 2), MACS),
      (plane) => plane.putConfig({ twill0Ifindex: 0 }),
    ),
    untouched(
      `${f}: a pod's reply to who reached it by its address`,
      "to_wire",
      frame(podA[f], outside[f], tcp(80, 4000), MACS),
      (plane) => plane.run("from_host", frame(outside[f], podA[f], tcp(4000, 80, { flags: TCP_FLAG.syn }))),
    ),
    untouched(`${f}: to the node, not ours by port`, "from_wire", frame(outside[f], node[f], tcp(1, 22), MACS)),
    untouched(
      `${f}: to the node, in the range but of no flow`,
      "from_wire",
      frame(outside[f], node[f], tcp(80, PORT), MACS),
    ),
    untouched(`${f}: the tunnel's packets`, "from_wire", frame(outside[f], node[f], udp(1, 8472), MACS)),
    untouched(
      `${f}: to somebody else`,
      "from_wire",
      frame(outside[f], f === "v4" ? "192.168.77.50" : "fd00:77::50", udp(1, PORT), MACS),
    ),
    untouched(`${f}: an echo to the node itself`, "from_wire", frame(outside[f], node[f], echo(familyOf(f), 7), MACS)),
    untouched(
      `${f}: another protocol to the node`,
      "from_wire",
      frame(outside[f], node[f], raw(PROTO.ospf, payload(8)), MACS),
    ),
    untouched(
      `${f}: from somebody else to a port in use`,
      "from_wire",
      frame(NODE.farNode, node[f], udp(53, PORT), MACS),
      (plane) => {
        out(plane, f, udp(4000, 53));
      },
    ),
    untouched(
      `${f}: before the node is configured, in`,
      "from_wire",
      frame(outside[f], node[f], udp(53, PORT), MACS),
      (plane) => plane.putConfig({ twill0Ifindex: 0 }),
    ),
    untouched(
      `${f}: an ICMP error about the node's own packet`,
      "from_wire",
      frame(outside[f], node[f], icmpError(familyOf(f), ipPacket(node[f], outside[f], udp(1, 2))), MACS),
    ),
    untouched(
      `${f}: an ICMP error that quotes nonsense`,
      "from_wire",
      frame(outside[f], node[f], icmpError(familyOf(f), payload(40)), MACS),
    ),
  ])
  .filter((c) => !c.name.startsWith("v4: from somebody else"));

const more: Case[] = [
  untouched("ARP leaves as it is", "to_wire", frame(podA.v4, outside.v4, udp(1, 2), { ...MACS, etherType: 0x0806 })),
  untouched(
    "ARP comes in as it is",
    "from_wire",
    frame(outside.v4, node.v4, udp(1, PORT), { ...MACS, etherType: 0x0806 }),
  ),
  untouched(
    "v4: a timestamp request to the node",
    "from_wire",
    frame(outside.v4, node.v4, icmp(13, 0, [0, 7, 0, 1], payload(12)), MACS),
  ),
  untouched(
    "v6: neighbour discovery of the wire",
    "from_wire",
    frame("fd00:77::50", node.v6, icmp6(135, 0, [0, 0, 0, 0], addr(node.v6).bytes), MACS),
  ),
];

export const WIRE_CASES: readonly Case[] = [...translations, ...passing, ...more];
