/** What from_pod does with a pod's packets to pods, nodes and the outside. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { CtFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { echo, frame, PROTO, payload, raw, sctp, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { text } from "./plane.ts";

const { podA, podB, podC, remote, far, outside, node, router, remoteNode } = NODE;
const GATEWAY = "ee:ee:ee:ee:ee:ee";

const bothFamilies = ["v4", "v6"] as const;

function wordOf(address: string): number {
  return new DataView(addr(address).bytes.buffer).getUint32(12, true);
}

const toPod: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: first packet to a pod of the node begins a flow and goes to the pod's link`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], tcp(4000, 80, { flags: TCP_FLAG.syn })),
    verdict: "peer",
    to: podB.ifindex,
    metrics: ["forward_local", "ct_created"],
    check: (out, _, plane) => {
      assert.equal(out.dstMac, podB.mac);
      assert.equal(out.srcMac, GATEWAY);
      assert.equal(out.ttl, 63);
      const [flow] = plane.flows();
      assert.ok(flow !== undefined);
      assert.equal(flow.entry.originSeen, TCP_FLAG.syn);
      assert.equal(flow.entry.replySeen, 0);
      assert.equal(flow.entry.revision, 1);
      assert.deepEqual([flow.entry.originIdentity, flow.entry.replyIdentity], [256, 256]);
      assert.deepEqual(new Set([text(flow.key.low), text(flow.key.high)]), new Set([podA[f], podB[f]]));
    },
  },
  {
    name: `${f}: further packets of a flow create nothing`,
    program: "from_pod",
    before: (plane) => plane.run("from_pod", frame(podA[f], podB[f], udp(4000, 53))),
    frame: frame(podA[f], podB[f], udp(4000, 53)),
    verdict: "peer",
    metrics: ["forward_local"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other").length, 1),
  },
  {
    name: `${f}: echo to a pod of the node`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], echo(f === "v4" ? 4 : 6, 77)),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    check: (_, __, plane) => {
      const [flow] = plane.flows("ct_other");
      assert.deepEqual([flow?.key.lowPort, flow?.key.highPort], [77, f === "v4" ? 0x0800 : 0x8000]);
    },
  },
  {
    name: `${f}: SCTP is forwarded by address and remembered by port`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], sctp(36412, 36413)),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    check: (_, __, plane) => {
      const [flow] = plane.flows("ct_other");
      assert.deepEqual(new Set([flow?.key.lowPort, flow?.key.highPort]), new Set([36412, 36413]));
    },
  },
  {
    name: `${f}: other protocols are forwarded by address`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], raw(PROTO.ospf, payload(20))),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other")[0]?.key.lowPort, 0),
  },
  {
    name: `${f}: a packet of the last hop goes to the stack, which answers`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], udp(1, 2), { ttl: 1 }),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "slow_ttl", "ct_created"],
    check: (out) => assert.equal(out.ttl, 1),
  },
  {
    name: `${f}: an address of the node's own pod range that nobody has`,
    program: "from_pod",
    frame: frame(podA[f], f === "v4" ? "10.244.1.99" : "fd00:10:244:1::99", udp(1, 2)),
    verdict: "drop",
    metrics: ["drop_no_endpoint"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other").length, 0),
  },
  {
    name: `${f}: a limited pod is reached through the queue of its pair`,
    program: "from_pod",
    frame: frame(podA[f], podC[f], udp(1, 2)),
    verdict: "redirect",
    to: podC.ifindex,
    metrics: ["forward_local", "ct_created"],
  },
]);

const toElsewhere: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: to a pod of another node`,
    program: "from_pod",
    frame: frame(podA[f], remote[f], tcp(4000, 80)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
    check: (out, ran, plane) => {
      assert.equal(ran.vni, NODE.vni);
      assert.equal(ran.tunnelWord, wordOf(remoteNode.v4));
      assert.equal(out.ttl, 63);
      assert.equal(out.dstMac, GATEWAY);
      const [flow] = plane.flows();
      assert.equal(text(flow?.entry.tunnel ?? new Uint8Array(16)), remoteNode.v4);
      assert.equal(flow?.entry.flags, (flow?.entry.flags ?? 0) | CtFlag.tunnel | CtFlag.pickedUp);
    },
  },
  {
    name: `${f}: a flow remembers its tunnel`,
    program: "from_pod",
    before: (plane) => {
      plane.run("from_pod", frame(podA[f], remote[f], udp(4000, 80)));
      plane.putIpcache(f === "v4" ? "10.244.2.0/24" : "fd00:10:244:2::/64", 9, 2, "192.168.77.99");
    },
    frame: frame(podA[f], remote[f], udp(4000, 80)),
    verdict: "redirect",
    metrics: ["forward_tunnel"],
    check: (_, ran) => assert.equal(ran.tunnelWord, wordOf(remoteNode.v4)),
  },
  {
    name: `${f}: under another revision a flow looks its tunnel up anew`,
    program: "from_pod",
    before: (plane) => {
      plane.run("from_pod", frame(podA[f], remote[f], udp(4000, 80)));
      plane.putIpcache(f === "v4" ? "10.244.2.0/24" : "fd00:10:244:2::/64", 9, 2, "192.168.77.99");
      plane.putConfig({ revision: 2 });
    },
    frame: frame(podA[f], remote[f], udp(4000, 80)),
    verdict: "redirect",
    metrics: ["forward_tunnel"],
    check: (_, ran, plane) => {
      assert.equal(ran.tunnelWord, wordOf("192.168.77.99"));
      assert.equal(plane.flows("ct_other")[0]?.entry.revision, 2);
    },
  },
  {
    name: `${f}: through a tunnel over IPv6`,
    program: "from_pod",
    frame: frame(podA[f], far[f], udp(1, 2)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
    check: (_, ran) => assert.equal(ran.tunnelWord, wordOf(NODE.farNode)),
  },
  {
    name: `${f}: to another node itself`,
    program: "from_pod",
    frame: frame(podA[f], remoteNode[f], tcp(1, 10_250)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
  },
  {
    name: `${f}: without a tunnel device other nodes are out of reach`,
    program: "from_pod",
    before: (plane) => plane.putConfig({ tunnelIfindex: 0 }),
    frame: frame(podA[f], remote[f], udp(1, 2)),
    verdict: "drop",
    isDroppedLate: true,
    metrics: ["ct_created", "drop_no_tunnel_key"],
  },
  ...[node[f], router[f], outside[f]].map(
    (to): Case => ({
      name: `${f}: to ${to} by way of the stack, which takes the hop`,
      program: "from_pod",
      frame: frame(podA[f], to, tcp(1, 2)),
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "ct_created"],
      check: (out, _, plane) => {
        assert.equal(out.ttl, 64);
        assert.equal(out.dstMac, GATEWAY);
        assert.notEqual((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.stack, 0);
      },
    }),
  ),
  {
    name: `${f}: a flow to the outside remembers that the stack has it`,
    program: "from_pod",
    before: (plane) => plane.run("from_pod", frame(podA[f], outside[f], udp(1, 2))),
    frame: frame(podA[f], outside[f], udp(1, 2)),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
  },
  {
    name: `${f}: a reply to what came through the stack goes back there`,
    program: "from_pod",
    before: (plane) => plane.run("from_host", frame(podB[f], podA[f], tcp(4000, 80, { flags: TCP_FLAG.syn }))),
    frame: frame(podA[f], podB[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack })),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
    check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.replySeen, TCP_FLAG.syn | TCP_FLAG.ack),
  },
]);

const mssOf = (transport: Uint8Array, at: number) => ((transport[at] ?? 0) << 8) | (transport[at + 1] ?? 0);

const sizes: Case[] = bothFamilies.flatMap((f): Case[] => {
  const headers = f === "v4" ? 40 : 60;
  const limit = NODE.tunnelMtu - headers;
  const clampCase = (name: string, options: readonly number[], at: number, metrics: string[], mss: number): Case => ({
    name: `${f}: MSS ${name}`,
    program: "from_pod",
    frame: frame(podA[f], remote[f], tcp(1, 2, { flags: TCP_FLAG.syn, options })),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics,
    check: (out) => assert.equal(mssOf(out.transport, at), mss),
  });
  const clamped = ["forward_tunnel", "mss_clamped", "ct_created"];
  const kept = ["forward_tunnel", "ct_created"];
  return [
    clampCase("that is too large is lowered", [2, 4, 0x05, 0xdc], 22, clamped, limit),
    clampCase("at an odd place is lowered", [1, 2, 4, 0x05, 0xdc], 23, clamped, limit),
    clampCase(
      "after other options is lowered",
      [4, 2, 8, 10, ...payload(8), 3, 3, 7, 2, 4, 0xff, 0xff],
      37,
      clamped,
      limit,
    ),
    clampCase("that fits is kept", [2, 4, 0x02, 0x18], 22, kept, 0x218),
    clampCase("with a broken option before it is kept", [8, 0, 2, 4, 0x05, 0xdc], 24, kept, 0x5dc),
    clampCase("behind the end of options is kept", [0, 0, 2, 4, 0x05, 0xdc], 24, kept, 0x5dc),
    clampCase("that is cut off is kept", [1, 1, 1, 1, 1, 1, 2, 4], 24, kept, 0x0101),
    {
      name: `${f}: a packet that just fits the tunnel`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], tcp(1, 2, { data: payload(limit) })),
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "ct_created"],
    },
    {
      name: `${f}: a packet that is a byte too large goes to the stack`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], tcp(1, 2, { data: payload(limit + 1) })),
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "slow_mtu", "ct_created"],
      check: (out) => assert.equal(out.ttl, 64),
    },
    {
      name: `${f}: a large packet of segments that fit`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], tcp(1, 2, { data: payload(2 * limit) })),
      options: { gsoSize: limit, gsoSegs: 2 },
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "ct_created"],
    },
    {
      name: `${f}: a large packet of segments that are too large`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], tcp(1, 2, { data: payload(2 * limit) })),
      options: { gsoSize: limit + 1, gsoSegs: 2 },
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "slow_mtu", "ct_created"],
    },
    {
      name: `${f}: a large SCTP packet, whose chunks were made to fit`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], raw(PROTO.sctp, payload(3000))),
      options: { gsoSize: 0xffff, gsoSegs: 2 },
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "ct_created"],
    },
    {
      name: `${f}: a pod of the same node takes any size`,
      program: "from_pod",
      frame: frame(podA[f], podB[f], udp(1, 2, payload(1472))),
      verdict: "peer",
      metrics: ["forward_local", "ct_created"],
    },
  ];
});

export const FROM_POD_CASES: readonly Case[] = [...toPod, ...toElsewhere, ...sizes];
