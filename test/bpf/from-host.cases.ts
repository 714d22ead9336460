/** What from_host does: the last step to a pod, from the stack or the node itself. */

import assert from "node:assert/strict";
import { CtFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { frame, icmp, icmp6, icmpError, ipPacket, PROTO, payload, raw, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { text } from "./plane.ts";

const { podA, podB, podC, remote, outside, node, router, remoteNode } = NODE;
const bothFamilies = ["v4", "v6"] as const;
const SYN = { flags: TCP_FLAG.syn };
const TWILL1 = { dstMac: "ee:ee:ee:ee:ee:ee", srcMac: "ee:ee:ee:ee:ee:ee" };

export const FROM_HOST_CASES: readonly Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: from the node to a pod: no hop is taken, replies are to come back through the stack`,
    program: "from_host",
    frame: frame(router[f], podB[f], tcp(4000, 80, SYN), TWILL1),
    verdict: "peer",
    to: podB.ifindex,
    metrics: ["forward_local", "ct_created"],
    check: (out, _, plane) => {
      assert.deepEqual([out.ttl, out.dstMac], [64, podB.mac]);
      assert.notEqual((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.viaStack, 0);
    },
  },
  {
    name: `${f}: a packet whose last hop the stack has taken is delivered`,
    program: "from_host",
    frame: frame(outside[f], podB[f], udp(1, 2), { ...TWILL1, ttl: 1 }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    check: (out) => assert.equal(out.ttl, 1),
  },
  {
    name: `${f}: the node's reply to a pod belongs to the pod's flow`,
    program: "from_host",
    before: (plane) => plane.run("from_pod", frame(podA[f], node[f], tcp(4000, 80, SYN))),
    frame: frame(node[f], podA[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack }), TWILL1),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local"],
    check: (_, __, plane) => {
      const [flow] = plane.flows();
      assert.equal((flow?.entry.flags ?? 0) & CtFlag.viaStack, 0);
      assert.equal(flow?.entry.replySeen, TCP_FLAG.syn | TCP_FLAG.ack);
    },
  },
  {
    name: `${f}: from the node to a pod of another node`,
    program: "from_host",
    frame: frame(router[f], remote[f], tcp(1, 2, SYN), TWILL1),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
    check: (out, ran) => assert.deepEqual([out.ttl, ran.vni], [64, NODE.vni]),
  },
  {
    name: `${f}: a flow of the node remembers its tunnel`,
    program: "from_host",
    before: (plane) => {
      plane.run("from_host", frame(router[f], remote[f], udp(1, 2), TWILL1));
      plane.putIpcache(f === "v4" ? "10.244.2.0/24" : "fd00:10:244:2::/64", 8, 2);
    },
    frame: frame(router[f], remote[f], udp(1, 2), TWILL1),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel"],
  },
  {
    name: `${f}: under another revision a flow of the node looks its tunnel up anew`,
    program: "from_host",
    before: (plane) => {
      plane.run("from_host", frame(router[f], remote[f], udp(1, 2), TWILL1));
      plane.putConfig({ revision: 2 });
    },
    frame: frame(router[f], remote[f], udp(1, 2), TWILL1),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other")[0]?.entry.revision, 2),
  },
  {
    name: `${f}: what the stack sends to a pod is not sent back where its flow leads`,
    program: "from_host",
    before: (plane) =>
      plane.run("from_tunnel", frame(remote[f], podC[f], udp(1, 2)), { tunnel: { from: remoteNode.v4 } }),
    frame: frame(remote[f], podC[f], udp(1, 2), TWILL1),
    verdict: "redirect",
    to: podC.ifindex,
    metrics: ["forward_local"],
  },
  {
    name: `${f}: a connection that the stack begins anew comes back through it`,
    program: "from_host",
    before: (plane) => {
      plane.run("from_pod", frame(podA[f], podB[f], tcp(80, 4000, SYN)));
      plane.run("from_pod", frame(podA[f], podB[f], tcp(80, 4000, { flags: TCP_FLAG.rst })));
    },
    frame: frame(podB[f], podA[f], tcp(4000, 80, SYN), TWILL1),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "ct_reopened"],
    check: (_, __, plane) => {
      const answer = frame(podA[f], podB[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack }));
      assert.equal(plane.run("from_pod", answer).ifindex, NODE.twill0);
    },
  },
  {
    name: `${f}: a connection of the stack whose flow was lost comes back through it`,
    program: "from_host",
    before: (plane) => plane.run("from_pod", frame(podA[f], remote[f], tcp(80, 4000))),
    frame: frame(remote[f], podA[f], tcp(4000, 80), TWILL1),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local"],
    check: (_, __, plane) => {
      const [flow] = plane.flows();
      const isHigh = ((flow?.entry.flags ?? 0) & CtFlag.originHigh) !== 0;
      assert.equal(text((isHigh ? flow?.key.high : flow?.key.low) ?? new Uint8Array(16)), remote[f], "origin");
      assert.equal(plane.run("from_pod", frame(podA[f], remote[f], tcp(80, 4000))).ifindex, NODE.twill0);
    },
  },
  {
    name: `${f}: an ICMP error of the stack about a pod's packet`,
    program: "from_host",
    before: (plane) => plane.run("from_pod", frame(podA[f], podB[f], udp(1, 2), { ttl: 1 })),
    frame: frame(router[f], podA[f], icmpError(f === "v4" ? 4 : 6, ipPacket(podA[f], podB[f], udp(1, 2))), TWILL1),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "icmp_related"],
  },
  {
    name: `${f}: nothing before the node is configured`,
    program: "from_host",
    before: (plane) => plane.putConfig({ twill0Ifindex: 0 }),
    frame: frame(router[f], podB[f], udp(1, 2), TWILL1),
    verdict: "drop",
    metrics: ["drop_not_configured"],
  },
  {
    name: `${f}: in-cluster, but no node has it`,
    program: "from_host",
    frame: frame(router[f], f === "v4" ? "10.244.9.9" : "fd00:10:244:9::9", udp(1, 2), TWILL1),
    verdict: "drop",
    metrics: ["drop_no_route"],
  },
  {
    name: `${f}: in the node's pod range, but no pod has it`,
    program: "from_host",
    frame: frame(router[f], f === "v4" ? "10.244.1.99" : "fd00:10:244:1::99", udp(1, 2), TWILL1),
    verdict: "drop",
    metrics: ["drop_no_endpoint"],
  },
  {
    name: `${f}: the stack's multicast`,
    program: "from_host",
    frame: frame(router[f], f === "v4" ? "224.0.0.22" : "ff02::16", udp(1, 2), TWILL1),
    verdict: "drop",
    metrics: ["ignored_multicast"],
  },
  {
    name: `${f}: the router's advice that there is a shorter way, quietly`,
    program: "from_host",
    frame: frame(
      router[f],
      podA[f],
      f === "v4" ? icmp(5, 0, [10, 0, 0, 1], payload(28)) : icmp6(137, 0, [0, 0, 0, 0], payload(32)),
      TWILL1,
    ),
    verdict: "drop",
    metrics: ["drop_router_redirect"],
  },
  {
    name: `${f}: a malformed packet of the stack`,
    program: "from_host",
    frame: frame(router[f], podA[f], raw(PROTO.udp, payload(3)), TWILL1),
    verdict: "drop",
    metrics: ["drop_malformed"],
  },
  {
    name: `${f}: an ICMP error of the stack about nothing known`,
    program: "from_host",
    frame: frame(router[f], podA[f], icmpError(f === "v4" ? 4 : 6, ipPacket(podA[f], podB[f], udp(1, 2))), TWILL1),
    verdict: "drop",
    metrics: ["drop_icmp_unrelated"],
  },
]);
