/** What from_tunnel does: the first step of what another node sent. */

import assert from "node:assert/strict";
import { CtFlag, IpcacheFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { echo, frame, icmp, icmp6, icmpError, ipPacket, patched, payload, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { text } from "./plane.ts";

const { podA, podB, podC, remote, far, outside, node, router, remoteNode } = NODE;
const bothFamilies = ["v4", "v6"] as const;
const SYN = { flags: TCP_FLAG.syn };
const TWILL1 = { dstMac: "ee:ee:ee:ee:ee:ee", srcMac: "ee:ee:ee:ee:ee:ee" };

const viaNode2 = { tunnel: { from: remoteNode.v4 } };

export const FROM_TUNNEL_CASES: readonly Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: from a pod of another node`,
    program: "from_tunnel",
    frame: frame(remote[f], podB[f], tcp(4000, 80, SYN)),
    options: viaNode2,
    verdict: "peer",
    to: podB.ifindex,
    metrics: ["forward_local", "ct_created"],
    check: (out, _, plane) => {
      assert.deepEqual([out.ttl, out.dstMac], [63, podB.mac]);
      const [flow] = plane.flows();
      assert.equal(text(flow?.entry.tunnel ?? new Uint8Array(16)), remoteNode.v4);
      assert.deepEqual([flow?.entry.originIdentity, flow?.entry.replyIdentity], [256, 0]);
    },
  },
  {
    name: `${f}: from a pod behind an IPv6 tunnel`,
    program: "from_tunnel",
    frame: frame(far[f], podB[f], udp(1, 2)),
    options: { tunnel: { from: NODE.farNode } },
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
  {
    name: `${f}: a known flow from its known node needs no look-up`,
    program: "from_tunnel",
    before: (plane) => {
      plane.run("from_tunnel", frame(remote[f], podB[f], udp(1, 2)), viaNode2);
      plane.putIpcache(f === "v4" ? "10.244.2.0/24" : "fd00:10:244:2::/64", 8, 9, NODE.farNode);
    },
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "peer",
    metrics: ["forward_local"],
  },
  {
    name: `${f}: a known flow from another node`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_tunnel", frame(remote[f], podB[f], udp(1, 2)), viaNode2),
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: { tunnel: { from: NODE.farNode } },
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  },
  {
    name: `${f}: a known flow under another revision`,
    program: "from_tunnel",
    before: (plane) => {
      plane.run("from_tunnel", frame(remote[f], podB[f], udp(1, 2)), viaNode2);
      plane.putConfig({ revision: 2 });
    },
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "peer",
    metrics: ["forward_local"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other")[0]?.entry.revision, 2),
  },
  {
    name: `${f}: the reply to a pod of this node comes back to its flow`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_pod", frame(podA[f], remote[f], tcp(4000, 80, SYN))),
    frame: frame(remote[f], podA[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack })),
    options: viaNode2,
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local"],
    check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.replySeen, TCP_FLAG.syn | TCP_FLAG.ack),
  },
  {
    name: `${f}: the reply to what the stack translated goes to the stack`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_host", frame(podA[f], remote[f], tcp(4000, 80, SYN), TWILL1)),
    frame: frame(remote[f], podA[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack })),
    options: viaNode2,
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
  },
  {
    name: `${f}: a limited pod is reached through the queue of its pair`,
    program: "from_tunnel",
    frame: frame(remote[f], podC[f], udp(1, 2)),
    options: viaNode2,
    verdict: "redirect",
    to: podC.ifindex,
    metrics: ["forward_local", "ct_created"],
  },
  ...[node[f], router[f]].map(
    (to): Case => ({
      name: `${f}: to this node's own ${to}`,
      program: "from_tunnel",
      frame: frame(remote[f], to, tcp(4000, 10_250, SYN), { dstMac: "12:34:56:78:9a:bc" }),
      options: viaNode2,
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "ct_created"],
      check: (out, _, plane) => {
        assert.deepEqual([out.ttl, out.dstMac], [64, "ee:ee:ee:ee:ee:ee"]);
        assert.notEqual((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.stack, 0);
      },
    }),
  ),
  {
    name: `${f}: a flow to this node remembers that`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_tunnel", frame(remote[f], node[f], udp(1, 2)), viaNode2),
    frame: frame(remote[f], node[f], udp(1, 2)),
    options: viaNode2,
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
  },
  {
    name: `${f}: the last hop`,
    program: "from_tunnel",
    frame: frame(remote[f], podB[f], udp(1, 2), { ttl: 1 }),
    options: viaNode2,
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "slow_ttl", "ct_created"],
  },
  {
    name: `${f}: from an address that is no node's`,
    program: "from_tunnel",
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: { tunnel: { from: "192.168.77.99" } },
    verdict: "drop",
    metrics: ["drop_node_unknown"],
  },
  {
    name: `${f}: from the wrong node`,
    program: "from_tunnel",
    frame: frame(far[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  },
  {
    name: `${f}: with an inner source that no node has`,
    program: "from_tunnel",
    frame: frame(outside[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  },
  {
    name: `${f}: with an inner source of this node`,
    program: "from_tunnel",
    frame: frame(podA[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  },
  {
    name: `${f}: of another network`,
    program: "from_tunnel",
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: { tunnel: { from: remoteNode.v4, vni: NODE.vni + 1 } },
    verdict: "drop",
    metrics: ["drop_wrong_vni"],
  },
  {
    name: `${f}: without tunnel metadata`,
    program: "from_tunnel",
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: { tunnel: { from: remoteNode.v4, vni: 0xffff_ffff } },
    verdict: "drop",
    metrics: ["drop_no_tunnel_key"],
  },
  {
    name: `${f}: before the node is configured`,
    program: "from_tunnel",
    before: (plane) => plane.putConfig({ twill0Ifindex: 0 }),
    frame: frame(remote[f], podB[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_not_configured"],
  },
  {
    name: `${f}: to a pod that is not there any more`,
    program: "from_tunnel",
    frame: frame(remote[f], f === "v4" ? "10.244.1.99" : "fd00:10:244:1::99", udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_no_endpoint"],
  },
  {
    name: `${f}: to somewhere else`,
    program: "from_tunnel",
    frame: frame(remote[f], outside[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_no_route"],
  },
  {
    name: `${f}: to an excluded network that is not this node's`,
    program: "from_tunnel",
    before: (plane) =>
      plane.putIpcache(f === "v4" ? "198.51.100.0/24" : "2001:db8:51::/64", IpcacheFlag.noMasquerade, 0),
    frame: frame(remote[f], outside[f], udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_no_route"],
  },
  {
    name: `${f}: multicast`,
    program: "from_tunnel",
    frame: frame(remote[f], f === "v4" ? "224.0.0.251" : "ff02::fb", udp(1, 2)),
    options: viaNode2,
    verdict: "drop",
    metrics: ["ignored_multicast"],
  },
  {
    name: `${f}: what belongs to the link`,
    program: "from_tunnel",
    frame: frame(
      remote[f],
      podB[f],
      f === "v4" ? icmp(5, 0, [10, 0, 0, 1], payload(28)) : icmp6(134, 0, [64, 0, 0, 30], payload(8)),
    ),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_nd_spoofed"],
  },
  {
    name: `${f}: a malformed packet`,
    program: "from_tunnel",
    frame: patched(frame(remote[f], podB[f], tcp(1, 2)), f === "v4" ? 46 : 66, 0x10),
    options: viaNode2,
    verdict: "drop",
    metrics: ["drop_malformed"],
  },
  {
    name: `${f}: an ICMP error of another node about a pod's packet`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_pod", frame(podA[f], remote[f], echo(f === "v4" ? 4 : 6, 5))),
    frame: frame(
      f === "v4" ? "10.244.2.1" : "fd00:10:244:2::1",
      podA[f],
      icmpError(f === "v4" ? 4 : 6, ipPacket(podA[f], remote[f], echo(f === "v4" ? 4 : 6, 5))),
    ),
    options: viaNode2,
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "icmp_related"],
  },
  {
    name: `${f}: an ICMP error of somebody who is not behind that node`,
    program: "from_tunnel",
    before: (plane) => plane.run("from_pod", frame(podA[f], remote[f], udp(1, 2))),
    frame: frame(outside[f], podA[f], icmpError(f === "v4" ? 4 : 6, ipPacket(podA[f], remote[f], udp(1, 2)))),
    options: viaNode2,
    verdict: "drop",
    // What it is about was found before the look at its sender; counted, but not let in.
    metrics: ["icmp_related", "drop_not_of_node"],
  },
]);
