/** Policy of the node itself: what belongs to a flow, what is never judged, connections older than policy, and off. */

import assert from "node:assert/strict";
import { CtFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import {
  arp,
  echo,
  frame,
  icmp6,
  icmpError,
  ipPacket,
  PROTO,
  patched,
  payload,
  raw,
  TCP_FLAG,
  tcp,
  udp,
} from "./frames.ts";
import { arrives, closeAll, hostRule, leaves, SYN, switchOn } from "./host-way.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { allowed, always, bothFamilies, denied, familyOf, onPort, type Word } from "./policy-way.ts";
import { MACS } from "./wire-way.ts";

const { node, outside, podA, remoteNode } = NODE;

function related(f: Word): Case[] {
  const family = familyOf(f);
  const asked = tcp(4000, 80, SYN);
  const about = (src: string, dst: string, t = asked) => icmpError(family, ipPacket(src, dst, t));
  const onlyAsks = (plane: Plane) => {
    closeAll(plane);
    hostRule(plane, "egress", { rows: [always(denied(2)), onPort(PROTO.tcp, 80, allowed(3))] });
  };
  const onlyAnswers = (plane: Plane) => {
    closeAll(plane);
    hostRule(plane, "ingress", { rows: [always(denied(1)), onPort(PROTO.tcp, 80, allowed(3))] });
  };
  const tunnelPacket = udp(50_000, 8472, payload(60));
  return [
    {
      name: `${f}: an error about what the node sent reaches it`,
      ...arrives(f, about(node[f], outside[f])),
      before: (plane) => {
        onlyAsks(plane);
        plane.run("to_wire", leaves(f).frame);
      },
      verdict: "next",
      metrics: ["icmp_related"],
    },
    {
      name: `${f}: not when it may not send it any more`,
      ...arrives(f, about(node[f], outside[f])),
      before: (plane) => {
        onlyAsks(plane);
        plane.run("to_wire", leaves(f).frame);
        closeAll(plane);
      },
      verdict: "drop",
      metrics: ["icmp_related", "policy_rejudged", "drop_policy"],
      check: (_, __, ___, [e]) => assert.equal(e?.rule, 2),
    },
    {
      name: `${f}: the node's own error about what it was sent leaves`,
      ...leaves(f, about(outside[f], node[f])),
      before: (plane) => {
        onlyAnswers(plane);
        plane.run("from_wire", arrives(f).frame);
      },
      verdict: "next",
      metrics: ["icmp_related"],
    },
    {
      name: `${f}: its error about what it forwards leaves, known or not`,
      ...leaves(f, about(outside[f], podA[f])),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: its error about what never came to it does not`,
      ...leaves(f, about(outside[f], node[f])),
      before: closeAll,
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: an error about nothing is dropped`,
      ...arrives(f, about(node[f], outside[f])),
      before: closeAll,
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: one that is not for the node passes`,
      ...arrives(f, about(podA[f], outside[f]), outside[f], podA[f]),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: one about the tunnel's packets, which nobody keeps in mind, reaches the node`,
      ...arrives(f, about(node[f], f === "v4" ? remoteNode.v4 : NODE.farNode, tunnelPacket)),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
  ];
}

function neverJudged(f: Word): Case[] {
  const other = f === "v4" ? remoteNode.v4 : NODE.farNode;
  const tunnel = udp(50_000, 8472, payload(60));
  const fragment = { fragment: { id: 7, offset: 0, more: true } };
  const later = { fragment: { id: 7, offset: 4, more: false }, keepSum: true };
  const part = raw(PROTO.udp, payload(32));
  return [
    {
      name: `${f}: the tunnel's packets from another node`,
      ...arrives(f, tunnel, other),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: and to it`,
      ...leaves(f, tunnel, other),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: what looks like the tunnel's but is of no node is judged`,
      ...arrives(f, tunnel),
      before: closeAll,
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: on its way out, too`,
      ...leaves(f, tunnel),
      before: closeAll,
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: a first fragment is judged by its ports`,
      program: "from_wire",
      frame: frame(outside[f], node[f], udp(4000, 80, payload(64)), { ...MACS, ...fragment }),
      before: (plane) => hostRule(plane, "ingress", { rows: [always(denied(1)), onPort(PROTO.udp, 80, allowed(3))] }),
      verdict: "next",
      metrics: ["ct_created", "fragment"],
      isSumless: true,
    },
    {
      name: `${f}: and dropped by them`,
      program: "from_wire",
      frame: frame(outside[f], node[f], udp(4000, 81, payload(64)), { ...MACS, ...fragment }),
      before: (plane) => hostRule(plane, "ingress", { rows: [always(denied(1)), onPort(PROTO.udp, 80, allowed(3))] }),
      verdict: "drop",
      metrics: ["fragment", "drop_policy"],
    },
    {
      name: `${f}: a later one, which is nothing without the first, passes`,
      program: "from_wire",
      frame: frame(outside[f], node[f], part, { ...MACS, ...later }),
      before: closeAll,
      verdict: "next",
      metrics: ["fragment"],
      isSumless: true,
    },
    {
      name: `${f}: and leaves`,
      program: "to_wire",
      frame: frame(node[f], outside[f], part, { ...MACS, ...later }),
      before: closeAll,
      verdict: "next",
      metrics: [],
      isSumless: true,
    },
  ];
}

const link: Case[] = [
  {
    name: "ARP passes",
    program: "from_wire",
    frame: arp("192.168.77.1", node.v4),
    before: closeAll,
    verdict: "next",
    metrics: [],
    isSumless: true,
  },
  {
    name: "so does IGMP",
    program: "to_wire",
    frame: frame(node.v4, "224.0.0.22", raw(2, payload(8)), MACS),
    before: closeAll,
    verdict: "next",
    metrics: [],
  },
  ...[135, 136, 133, 130, 143].map(
    (type): Case => ({
      name: `so does ICMPv6 of type ${type}`,
      program: "from_wire",
      frame: frame("fe80::1", type === 136 ? node.v6 : "ff02::1", icmp6(type, 0, [0, 0, 0, 0], payload(16)), MACS),
      before: closeAll,
      verdict: "next",
      metrics: [],
    }),
  ),
  {
    name: "an echo to a link-local address is the node's",
    program: "from_wire",
    frame: frame("fe80::1", "fe80::2", echo(6, 1), MACS),
    before: closeAll,
    verdict: "drop",
    metrics: ["drop_policy"],
  },
  {
    name: "and from one",
    program: "to_wire",
    frame: frame("fe80::2", "fe80::1", echo(6, 1), MACS),
    before: closeAll,
    verdict: "drop",
    metrics: ["drop_policy"],
  },
  {
    name: "multicast is the node's",
    program: "from_wire",
    frame: frame("192.168.77.1", "224.0.0.251", udp(5353, 5353), MACS),
    before: closeAll,
    verdict: "drop",
    metrics: ["drop_policy"],
  },
  {
    name: "so is DHCP, which the node asks without an address",
    program: "to_wire",
    frame: frame("0.0.0.0", "255.255.255.255", udp(68, 67), MACS),
    before: closeAll,
    verdict: "drop",
    metrics: ["drop_policy"],
  },
  {
    name: "and is answered to everybody",
    program: "from_wire",
    frame: frame("192.168.77.1", "255.255.255.255", udp(67, 68), MACS),
    before: (plane) => hostRule(plane, "ingress", { rows: [always(denied(1)), onPort(PROTO.udp, 68, allowed(3))] }),
    verdict: "next",
    metrics: ["ct_created"],
  },
  {
    name: "what cannot be read does not pass",
    program: "from_wire",
    frame: patched(frame(outside.v4, node.v4, udp(1, 2), MACS), 16, 0xff, 0xff),
    before: closeAll,
    verdict: "drop",
    metrics: ["drop_malformed"],
  },
];

function beginnings(f: Word): Case[] {
  const answer = { flags: TCP_FLAG.ack };
  const onlyTo = (direction: "ingress" | "egress", port: number) => (plane: Plane) => {
    closeAll(plane);
    hostRule(plane, direction, { rows: [always(denied(9)), onPort(PROTO.tcp, port, allowed(3))] });
  };
  return [
    {
      name: `${f}: an older connection of the node's: what the server sends passes, as nobody here listens`,
      ...arrives(f, tcp(80, 4000, answer)),
      before: onlyTo("egress", 80),
      verdict: "next",
      metrics: [],
      check: (_, __, plane) => assert.deepEqual(plane.flows(), []),
    },
    {
      name: `${f}: and begins to be known by what the node sends`,
      ...leaves(f, tcp(4000, 80, answer)),
      before: onlyTo("egress", 80),
      verdict: "next",
      metrics: ["ct_created"],
      check: (_, __, plane) => assert.ok((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.pickedUp),
    },
    {
      name: `${f}: not one that the node may not have`,
      ...arrives(f, tcp(81, 4000, answer)),
      before: onlyTo("egress", 80),
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: a new one from a server's port is none of the node's`,
      ...arrives(f, tcp(80, 4000, SYN)),
      before: onlyTo("egress", 80),
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: a SYN against a living connection is judged for itself`,
      ...arrives(f, tcp(80, 4000, SYN)),
      before: (plane) => {
        onlyTo("egress", 80)(plane);
        plane.run("to_wire", leaves(f).frame);
      },
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: a closed connection begins anew, judged anew`,
      ...arrives(f),
      before: (plane) => {
        onlyTo("ingress", 80)(plane);
        plane.run("from_wire", arrives(f).frame);
        plane.run("from_wire", arrives(f, tcp(4000, 80, { flags: TCP_FLAG.rst })).frame);
      },
      verdict: "next",
      metrics: ["ct_reopened"],
      check: (_, __, plane) => {
        const [flow] = plane.flows();
        assert.deepEqual(
          [flow?.entry.judged, flow?.entry.flags ?? 0],
          [plane.policyGeneration, CtFlag.host | ((flow?.entry.flags ?? 0) & CtFlag.originHigh)],
        );
      },
    },
  ];
}

function switchedOff(f: Word): Case[] {
  const off = (plane: Plane) => {
    closeAll(plane);
    plane.putConfig();
  };
  return [
    { name: `${f}: off, what arrives passes`, ...arrives(f), before: off, verdict: "next", metrics: [] },
    { name: `${f}: off, what leaves passes`, ...leaves(f), before: off, verdict: "next", metrics: [] },
    {
      name: `${f}: on without anything to say, all passes`,
      ...arrives(f),
      before: switchOn,
      verdict: "next",
      metrics: ["ct_created"],
    },
    {
      name: `${f}: and pods reach the node`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(4000, 80, SYN)),
      before: switchOn,
      verdict: "redirect",
      metrics: ["forward_stack", "ct_created"],
    },
    {
      name: `${f}: a class that is not there is closed`,
      ...arrives(f),
      before: (plane) => {
        plane.putHost(0, { ingressClass: 99, egressClass: 99 });
        switchOn(plane);
      },
      verdict: "drop",
      metrics: ["drop_policy"],
    },
  ];
}

/** See the file's comment. */
export const HOST_PARTS_CASES: readonly Case[] = [
  ...bothFamilies.flatMap((f) => [...related(f), ...neverJudged(f), ...beginnings(f), ...switchedOff(f)]),
  ...link,
];
