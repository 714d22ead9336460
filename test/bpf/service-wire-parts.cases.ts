/** Sizes, fragments, policy and ICMP errors of what comes from the wire for a service. */

import assert from "node:assert/strict";
import { ConfigFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { dissect } from "./dissect.ts";
import { frame, icmpError, ipPacket, PROTO, payload, raw, TCP_FLAG, tcp, udp } from "./frames.ts";
import { hostRule } from "./host-way.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { allowed, always, denied, onPort, rule } from "./policy-way.ts";
import { BACK, CLIENT, FROM_WIRE, flowsText, NODE_PORT, SERVED } from "./service-way.ts";
import { asking, CREATED, comes, ignored, MARK_SERVED, nodePort } from "./service-wire-way.ts";
import { bothFamilies, familyOf, MACS, PORT } from "./wire-way.ts";

const { podA, remote, remoteNode, node, outside } = NODE;
const { syn } = TCP_FLAG;

const first = { id: 99, offset: 0, more: true } as const;
const later = { id: 99, offset: 4, more: false } as const;

const sizes: Case[] = bothFamilies.flatMap((f): Case[] => {
  const large = udp(CLIENT, NODE_PORT, payload(NODE.tunnelMtu));
  return [
    comes(f, "what does not fit the tunnel is told so", {
      before: (plane) => nodePort(plane, f, [remote[f]]),
      frame: asking(f, large, { dontFragment: true }),
      verdict: "redirect",
      to: 1,
      metrics: ["slow_mtu", "rejected"],
      check: (d, _, plane) => {
        assert.deepEqual([d.src, d.dst], [node[f], outside[f]]);
        assert.deepEqual([...d.transport.slice(0, 2)], f === "v4" ? [3, 4] : [2, 0]);
        assert.equal(new DataView(d.transport.buffer).getUint32(4), NODE.tunnelMtu);
        const q = dissect(new Uint8Array([...new Uint8Array(14), ...d.transport.slice(8)]));
        assert.deepEqual([q.dst, q.dstPort], [node[f], NODE_PORT]);
        assert.deepEqual([flowsText(plane), plane.flows("ct_other")], [[], []]);
      },
    }),
    comes(f, "a SYN through the tunnel gets an MSS that fits", {
      before: (plane) => nodePort(plane, f, [remote[f]]),
      frame: asking(f, tcp(CLIENT, NODE_PORT, { flags: syn, options: [2, 4, 0x05, 0xdc] })),
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "mss_clamped", ...CREATED],
    }),
    comes(f, "a later fragment follows the first one", {
      before: (plane) => {
        nodePort(plane, f, [podA[f]]);
        plane.run("from_wire", asking(f, udp(CLIENT, NODE_PORT, payload(24)), { fragment: first }));
      },
      frame: asking(f, raw(PROTO.udp, payload(24)), { fragment: later }),
      metrics: ["forward_local", "fragment", "service_forward"],
      check: (d) => {
        assert.deepEqual([d.src, d.dst], [outside[f], podA[f]]);
        assert.deepEqual(d.transport, payload(24));
      },
    }),
    comes(f, "a later fragment begins nothing where the first one did not", {
      before: (plane) => {
        nodePort(plane, f, [podA[f]]);
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
        plane.run("from_wire", asking(f, udp(CLIENT, NODE_PORT, payload(24)), { fragment: first }));
        rule(plane, "podA", "ingress", { rows: [always(allowed(1))] });
      },
      frame: asking(f, raw(PROTO.udp, payload(24)), { fragment: later }),
      verdict: "drop",
      metrics: ["fragment", "drop_fragment_unknown"],
    }),
    ignored(f, "a later fragment without its first", {
      frame: asking(f, raw(PROTO.udp, payload(24)), { fragment: later }),
      metrics: ["fragment"],
    }),
    {
      name: `${f}: a later fragment of the node itself leaves as the node port's`,
      program: "to_wire",
      before: (plane) => {
        nodePort(plane, f, [node[f]]);
        plane.run("from_wire", asking(f, udp(CLIENT, NODE_PORT)));
        plane.run("to_wire", frame(node[f], outside[f], udp(BACK, CLIENT, payload(24)), { ...MACS, fragment: first }));
      },
      frame: frame(node[f], outside[f], raw(PROTO.udp, payload(24)), { ...MACS, fragment: later }),
      verdict: "next",
      metrics: ["fragment", "service_reply"],
      check: (d) => assert.equal(d.src, node[f]),
    },
  ];
});

const wide: Case = comes("v4", "what does not fit the tunnel but may be cut up goes on", {
  before: (plane) => nodePort(plane, "v4", [remote.v4]),
  frame: asking("v4", udp(CLIENT, NODE_PORT, payload(NODE.tunnelMtu))),
  verdict: "redirect",
  to: NODE.tunnel,
  metrics: ["forward_tunnel", ...CREATED],
});

const policy: Case[] = bothFamilies.flatMap((f): Case[] => [
  comes(f, "the pod's policy is asked about the client, and the pod's port", {
    before: (plane) => {
      nodePort(plane, f, [podA[f]]);
      rule(plane, "podA", "ingress", { rows: [onPort(PROTO.tcp, BACK, allowed(1))] });
    },
  }),
  comes(f, "what the pod's policy denies leaves nothing behind", {
    before: (plane) => {
      nodePort(plane, f, [podA[f]], 0, SERVED | ConfigFlag.reject);
      rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
    },
    verdict: "drop",
    metrics: ["drop_policy"],
    check: (_, __, plane) => assert.deepEqual([flowsText(plane), plane.flows()], [[], []]),
  }),
  comes(f, "the node's own policy says nothing of what it only forwards", {
    before: (plane) => {
      hostRule(plane, "ingress", { rows: [always(denied(1))] });
      hostRule(plane, "egress", { rows: [always(denied(1))] });
      nodePort(plane, f, [remote[f]], 0, SERVED | ConfigFlag.hostPolicy);
    },
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", ...CREATED],
  }),
  {
    name: `${f}: nor of what it sends out for pods`,
    program: "to_wire",
    before: (plane) => {
      hostRule(plane, "egress", { rows: [always(denied(1))] });
      nodePort(plane, f, [remote[f]], 0, SERVED | ConfigFlag.hostPolicy);
    },
    frame: frame(node[f], outside[f], tcp(NODE_PORT, CLIENT), MACS),
    options: { mark: MARK_SERVED },
    verdict: "next",
    metrics: [],
    check: (_, ran) => assert.equal(ran.mark, 0),
  },
  comes(f, "but of what is for itself, by its own port", {
    before: (plane) => {
      hostRule(plane, "ingress", { rows: [onPort(PROTO.tcp, NODE_PORT, allowed(1))] });
      nodePort(plane, f, [node[f]], 0, SERVED | ConfigFlag.hostPolicy);
    },
    verdict: "drop",
    isDroppedLate: true,
    metrics: [...CREATED, "drop_policy"],
  }),
]);

/** The packet inside an ICMP error. */
const inside = (bytes: Uint8Array) =>
  dissect(new Uint8Array([...new Uint8Array(14), ...dissect(bytes).transport.slice(8)]));

const errors: Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = familyOf(f);
  const hop = f === "v4" ? "203.0.113.1" : "2001:db8:99::1";
  const begun = (plane: Plane, backend: string) => {
    nodePort(plane, f, [backend]);
    plane.run("from_wire", asking(f, udp(CLIENT, NODE_PORT)));
  };
  const about = icmpError(family, ipPacket(node[f], outside[f], udp(NODE_PORT, CLIENT)));
  const quotes = (ran: { readonly frame: Uint8Array }, src: string, srcPort: number, dst: string, dstPort: number) => {
    const q = inside(ran.frame);
    assert.deepEqual([q.src, q.srcPort, q.dst, q.dstPort, q.wrongSums], [src, srcPort, dst, dstPort, []]);
  };
  return [
    comes(f, "an ICMP error on the way back reaches the pod here", {
      before: (plane) => begun(plane, podA[f]),
      frame: frame(hop, node[f], about, FROM_WIRE),
      metrics: ["forward_local", "icmp_related", "service_forward"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [hop, podA[f]]);
        quotes(ran, podA[f], BACK, outside[f], CLIENT);
      },
    }),
    comes(f, "an ICMP error on the way back reaches the pod elsewhere, in the node's name", {
      before: (plane) => begun(plane, remote[f]),
      frame: frame(hop, node[f], about, FROM_WIRE),
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "icmp_related", "service_forward"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [node[f], remote[f]]);
        quotes(ran, remote[f], BACK, node[f], PORT);
      },
    }),
    comes(f, "an ICMP error on the way back reaches the node itself", {
      before: (plane) => begun(plane, node[f]),
      frame: frame(hop, node[f], about, FROM_WIRE),
      verdict: "next",
      metrics: ["icmp_related", "service_forward"],
      check: (_, ran) => quotes(ran, node[f], BACK, outside[f], CLIENT),
    }),
    comes(f, "an ICMP error of another node as backend leaves as the node port's", {
      before: (plane) => begun(plane, remoteNode[f]),
      frame: frame(
        remoteNode[f],
        node[f],
        icmpError(family, ipPacket(node[f], remoteNode[f], udp(PORT, BACK))),
        FROM_WIRE,
      ),
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["service_reply"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [node[f], outside[f]]);
        quotes(ran, outside[f], CLIENT, node[f], NODE_PORT);
      },
    }),
    {
      name: `${f}: an ICMP error of a pod here leaves as the node port's`,
      program: "from_pod",
      before: (plane) => begun(plane, podA[f]),
      frame: frame(podA[f], outside[f], icmpError(family, ipPacket(outside[f], podA[f], udp(CLIENT, BACK)))),
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["icmp_related", "service_reply"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [node[f], outside[f]]);
        quotes(ran, outside[f], CLIENT, node[f], NODE_PORT);
      },
    },
    {
      name: `${f}: an ICMP error of a pod elsewhere leaves as the node port's`,
      program: "from_tunnel",
      before: (plane) => begun(plane, remote[f]),
      frame: frame(remote[f], node[f], icmpError(family, ipPacket(node[f], remote[f], udp(PORT, BACK)))),
      options: { tunnel: { from: remoteNode.v4 } },
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["icmp_related", "service_reply"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [node[f], outside[f]]);
        quotes(ran, outside[f], CLIENT, node[f], NODE_PORT);
      },
    },
    {
      name: `${f}: an ICMP error of the node itself leaves as the node port's`,
      program: "to_wire",
      before: (plane) => begun(plane, node[f]),
      frame: frame(node[f], outside[f], icmpError(family, ipPacket(outside[f], node[f], udp(CLIENT, BACK))), MACS),
      verdict: "next",
      metrics: ["service_reply"],
      check: (_, ran) => quotes(ran, outside[f], CLIENT, node[f], NODE_PORT),
    },
    ignored(f, "an ICMP error about the node's own", {
      frame: frame(hop, node[f], icmpError(family, ipPacket(node[f], outside[f], udp(1, 2))), FROM_WIRE),
    }),
  ];
});

export const SERVICE_WIRE_PARTS_CASES: readonly Case[] = [...sizes, wide, ...policy, ...errors];
