/** Packets of known flows that pass the tunnel without its device, and all that has to go by the device nevertheless. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { encodeNode, encodeNodeKey } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { dissect, dissectIp } from "./dissect.ts";
import {
  echo,
  frame,
  patched,
  payload,
  TCP_FLAG,
  type Transport,
  tcp,
  udp,
  type VxlanOptions,
  vxlan,
} from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import type { RunOptions } from "./test-run.ts";
import { waitForTick } from "./ticks.ts";

const { podA, podC, remote, far, node, remoteNode } = NODE;
const GATEWAY = "ee:ee:ee:ee:ee:ee";
const bothFamilies = ["v4", "v6"] as const;
type Word = (typeof bothFamilies)[number];
const ENCAPSULATION = 50;
const DEVICE = ["forward_tunnel"];

/** Sends the flow's first packet; what follows in the same tick may take the shortcut. */
function known(plane: Plane, f: Word, t: Transport = tcp(4000, 80), to: string = remote[f]): void {
  waitForTick();
  plane.allowShortcut();
  plane.run("from_pod", frame(podA[f], to, t));
}

function outgoing(f: Word, name: string, t: Transport, o = {}, ecn = 0): Case {
  return {
    name: `${f}: ${name} is encapsulated at once`,
    program: "from_pod",
    before: (plane) => known(plane, f, t),
    frame: frame(podA[f], remote[f], t, o),
    verdict: "redirect",
    to: NODE.wire,
    metrics: ["forward_tunnel", "shortcut_out"],
    check: (out, ran) => {
      assert.deepEqual([out.src, out.dst, out.ttl, out.dstPort], [node.v4, remoteNode.v4, 64, 8472]);
      assert.deepEqual([out.dstMac, out.srcMac], [NODE.remoteNodeMac, NODE.wireMac]);
      assert.equal((ran.frame[15] ?? 0) & 0xff, ecn, "ECN outside");
      assert.ok(out.srcPort >= 32_768 && out.srcPort < 60_999, "a port as the device would choose it");
      const header = Buffer.from(out.transport.subarray(4, 16));
      assert.equal(header.readUInt16BE(0), out.transport.length, "UDP length");
      assert.equal(
        header.subarray(2).toString("hex"),
        `0000080000000000${NODE.vni.toString(16).padStart(2, "0")}00`,
        "no checksum, flags, VNI",
      );
      const inner = dissect(ran.frame.slice(ENCAPSULATION));
      assert.deepEqual([inner.src, inner.dst, inner.ttl, inner.wrongSums], [podA[f], remote[f], 63, []]);
      assert.deepEqual([inner.dstMac, inner.srcMac], [GATEWAY, GATEWAY]);
      assert.deepEqual(inner.transport, dissect(frame(podA[f], remote[f], t)).transport);
    },
  };
}

function byDevice(f: Word, name: string, change: Partial<Case>): Case {
  return {
    name: `${f}: ${name} goes by the device`,
    program: "from_pod",
    before: (plane) => known(plane, f),
    frame: frame(podA[f], remote[f], tcp(4000, 80)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: DEVICE,
    ...change,
  };
}

const out: Case[] = bothFamilies.flatMap((f): Case[] => [
  outgoing(f, "TCP", tcp(4000, 80)),
  outgoing(f, "UDP", udp(4000, 80)),
  outgoing(f, "an echo", echo(f === "v4" ? 4 : 6, 9)),
  outgoing(f, "a packet that takes part in ECN", udp(4000, 80), { tos: 1 }, 1),
  outgoing(f, "a packet that has met congestion", udp(4000, 80), { tos: 3 }, 2),
  byDevice(f, "a flow's first packet", {
    before: (plane) => plane.allowShortcut(),
    metrics: ["forward_tunnel", "ct_created"],
  }),
  byDevice(f, "everything when configuration says so,", {
    before: (plane) => plane.run("from_pod", frame(podA[f], remote[f], tcp(4000, 80))),
  }),
  byDevice(f, "what leaves by a tunnel over IPv6", {
    before: (plane) => known(plane, f, tcp(4000, 80), far[f]),
    frame: frame(podA[f], far[f], tcp(4000, 80)),
  }),
  byDevice(f, "what has no neighbour yet", {
    before: (plane) => {
      plane.putIpcache(f === "v4" ? "10.244.2.0/24" : "fd00:10:244:2::/64", 9, 2, "192.168.77.99");
      known(plane, f);
    },
  }),
  byDevice(f, "what fits the tunnel as configured, but not the device that it leaves by,", {
    before: (plane) => {
      known(plane, f, udp(4000, 80));
      plane.putConfig({ flags: 3, tunnelMtu: 9000 });
    },
    frame: frame(podA[f], remote[f], udp(4000, 80, payload(1460 - (f === "v4" ? 28 : 48)))),
  }),
  byDevice(f, "a large packet of a kind that cannot be encapsulated", {
    before: (plane) => known(plane, f, udp(4000, 80)),
    frame: frame(podA[f], remote[f], udp(4000, 80, payload(2000))),
    options: { gsoSize: 1000, gsoSegs: 2 },
  }),
]);

const WIRE = { srcMac: NODE.remoteNodeMac, dstMac: NODE.wireMac, vni: NODE.vni } as const;
const answerOf = (f: Word, t: Transport = tcp(80, 4000), o = {}) =>
  frame(remote[f], podA[f], t, { srcMac: GATEWAY, dstMac: GATEWAY, ...o });
const wrapped = (inner: Uint8Array, o: Partial<VxlanOptions> = {}) =>
  vxlan(remoteNode.v4, node.v4, inner, { ...WIRE, ...o });

function incoming(f: Word, name: string, t: Transport, asked: Transport): Case {
  return {
    name: `${f}: ${name} of a known flow goes to its pod at once`,
    program: "from_wire",
    before: (plane) => known(plane, f, asked),
    frame: wrapped(answerOf(f, t)),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "shortcut_in"],
    check: (d, ran, plane) => {
      assert.deepEqual([d.src, d.dst, d.ttl], [remote[f], podA[f], 63]);
      assert.deepEqual([d.dstMac, d.srcMac], [podA.mac, GATEWAY]);
      assert.equal(ran.frame.length, answerOf(f, t).length);
      assert.deepEqual(ran.frame.slice(12, 14), answerOf(f, t).slice(12, 14), "EtherType");
      assert.deepEqual(dissectIp(ran.frame.slice(14)).transport, t.bytes.length > 0 ? d.transport : undefined);
      const [flow] = [...plane.flows(), ...plane.flows("ct_other")];
      assert.notEqual(flow?.entry.replySeen, 0);
    },
  };
}

function left(f: Word, name: string, bytes: Uint8Array, before?: (plane: Plane) => void, options?: RunOptions): Case {
  return {
    name: `${f}: ${name} is left to the device`,
    program: "from_wire",
    before: (plane) => {
      known(plane, f);
      before?.(plane);
    },
    ...(options === undefined ? {} : { options }),
    frame: bytes,
    verdict: "next",
    metrics: [],
    isSumless: true,
    check: (_, ran) => assert.deepEqual(ran.frame, new Uint8Array(bytes)),
  };
}

const limited: readonly Case[] = bothFamilies.map((f) => ({
  name: `${f}: what is for a limited pod goes to the queue of its pair at once`,
  program: "from_wire",
  before: (plane) => {
    waitForTick();
    plane.allowShortcut();
    plane.run("from_tunnel", frame(remote[f], podC[f], tcp(1, 2)), { tunnel: { from: remoteNode.v4 } });
  },
  frame: wrapped(frame(remote[f], podC[f], tcp(1, 2))),
  verdict: "redirect",
  to: podC.ifindex,
  metrics: ["forward_local", "shortcut_in"],
}));

const SYN = { flags: TCP_FLAG.syn };

const incomingCases: Case[] = bothFamilies.flatMap((f): Case[] => [
  incoming(f, "TCP", tcp(80, 4000), tcp(4000, 80)),
  incoming(f, "a SYN with ACK", tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack }), tcp(4000, 80, SYN)),
  incoming(f, "UDP", udp(80, 4000), udp(4000, 80)),
  left(f, "an unknown flow", wrapped(answerOf(f, tcp(81, 4000)))),
  left(f, "a SYN", wrapped(answerOf(f, tcp(80, 4000, SYN)))),
  left(f, "an echo", wrapped(answerOf(f, echo(f === "v4" ? 4 : 6, 9, true)))),
  left(f, "the last hop", wrapped(answerOf(f, tcp(80, 4000), { ttl: 1 }))),
  left(f, "another network", wrapped(answerOf(f), { vni: NODE.vni + 1 })),
  left(f, "a header with other flags", wrapped(answerOf(f), { flags: 0x0c })),
  left(f, "another port", wrapped(answerOf(f), { port: 4789 })),
  left(f, "an outer checksum", wrapped(answerOf(f), { sum: true })),
  left(f, "an outer header with options", wrapped(answerOf(f), { options: [1, 1, 1, 1] })),
  {
    ...left(f, "an outer fragment", wrapped(answerOf(f), { fragment: { id: 1, offset: 0, more: true } })),
    // Looked at by what follows, since fragments to the node may belong to a masqueraded flow.
    metrics: ["fragment"],
  },
  left(f, "a congestion mark outside", wrapped(answerOf(f), { tos: 3 })),
  left(f, "a wrong outer header checksum", patched(wrapped(answerOf(f)), 24, 1, 2)),
  left(f, "an outer length beyond the frame", patched(wrapped(answerOf(f)), 16, 0xff, 0xff)),
  left(f, "something else inside", patched(wrapped(answerOf(f)), 62, 0x08, 0x06)),
  left(f, "something malformed inside", patched(wrapped(answerOf(f)), f === "v4" ? 96 : 116, 0x10)),
  left(f, "a frame that is cut off", wrapped(answerOf(f)).slice(0, 60)),
  left(f, "another node than the flow's", vxlan("192.168.77.50", node.v4, answerOf(f), WIRE)),
  left(f, "a frame to another address", vxlan(remoteNode.v4, "192.168.77.50", answerOf(f), WIRE)),
  left(f, "a packet of several segments", wrapped(answerOf(f)), undefined, { gsoSize: 100, gsoSegs: 2 }),
  left(f, "a flow under another revision", wrapped(answerOf(f)), (plane) => plane.putConfig({ flags: 3, revision: 2 })),
  left(f, "everything when configuration says so", wrapped(answerOf(f)), (plane) => plane.putConfig()),
  left(f, "a pod that is gone", wrapped(answerOf(f)), (plane) => {
    plane.remove("endpoints", addr(podA[f]).bytes);
    plane.announceEndpoints();
  }),
  left(f, "a reply that goes to the stack", wrapped(answerOf(f, tcp(80, 4001))), (plane) => {
    plane.run("from_host", frame(podA[f], remote[f], tcp(4001, 80)));
  }),
  left(f, "a flow of the node itself", wrapped(frame(remote[f], node[f], tcp(1, 2))), (plane) => {
    plane.run("from_tunnel", frame(remote[f], node[f], tcp(1, 2)), { tunnel: { from: remoteNode.v4 } });
  }),
]);

const large = { gsoSize: 100, gsoSegs: 2 };

const order: Case[] = bothFamilies.flatMap((f): Case[] => [
  left(f, "what follows a packet that is still in the device's queue", wrapped(answerOf(f)), (plane) => {
    plane.run("from_wire", wrapped(answerOf(f)), large);
  }),
  left(f, "what follows two packets of which one is still in the queue", wrapped(answerOf(f)), (plane) => {
    for (let i = 0; i < 2; i++) plane.run("from_wire", wrapped(answerOf(f)), large);
    plane.run("from_tunnel", answerOf(f), { tunnel: { from: remoteNode.v4 } });
  }),
  {
    ...incoming(f, "the first packet after the queue is empty", tcp(80, 4000), tcp(4000, 80)),
    before: (plane) => {
      known(plane, f);
      for (let i = 0; i < 2; i++) plane.run("from_wire", wrapped(answerOf(f)), large);
      for (let i = 0; i < 2; i++) plane.run("from_tunnel", answerOf(f), { tunnel: { from: remoteNode.v4 } });
    },
  },
]);

/** A node that is known by its address alone: the shortcut trusts flows, and flows come from checked packets. */
const trust: Case[] = [
  left(
    "v4",
    "a node's packet before any was checked",
    vxlan("192.168.77.50", node.v4, answerOf("v4", udp(9, 9)), WIRE),
    (plane) =>
      plane.put("nodes", encodeNodeKey({ tunnel: addr("192.168.77.50").bytes }), encodeNode({ nodeId: 2, flags: 0 })),
  ),
];

export const SHORTCUT_CASES: readonly Case[] = [...out, ...incomingCases, ...limited, ...order, ...trust];
