/** ICMP errors about masqueraded packets, in both directions. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { dissect, dissectIp } from "./dissect.ts";
import { echo, frame, icmpError, ipPacket, payload, type Transport, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { bothFamilies, familyOf, MACS, out, PORT, type Word } from "./wire-way.ts";

const { podA, outside, node } = NODE;

/** The quoted packet of an ICMP error, with its header checksum verified; transport only when it is all there. */
function quoted(bytes: Uint8Array, isWhole = true) {
  return dissectIp(dissect(bytes).transport.slice(8), isWhole);
}

function errorCases(
  f: Word,
  name: string,
  asked: Transport,
  sent: Transport,
  port: number,
  keep: number,
  isWhole: boolean,
): Case[] {
  const family = familyOf(f);
  const router = f === "v4" ? "203.0.113.1" : "2001:db8:99::1";
  return [
    {
      name: `${f}: an ICMP error about ${name} finds the pod, and quotes what the pod sent`,
      program: "from_wire",
      before: (plane) => out(plane, f, asked),
      frame: frame(router, node[f], icmpError(family, ipPacket(node[f], outside[f], sent), keep), MACS),
      verdict: "peer",
      to: podA.ifindex,
      metrics: ["forward_local", "nat_in", "icmp_related"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [router, podA[f]]);
        const inner = quoted(ran.frame, isWhole);
        assert.deepEqual([inner.src, inner.dst, inner.srcPort, inner.wrongSums], [podA[f], outside[f], port, []]);
      },
    },
  ];
}

export const WIRE_ERROR_CASES: readonly Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = familyOf(f);
  const short = f === "v4" ? 28 : 48;
  return [
    ...errorCases(f, "UDP", udp(4000, 53), udp(PORT, 53), 4000, 548, true),
    ...errorCases(f, "UDP, cut short", udp(4000, 53), udp(PORT, 53), 4000, short, false),
    ...errorCases(f, "UDP without a checksum", udp(4000, 53), udp(PORT, 53, payload(8), false), 4000, 548, true),
    ...errorCases(f, "TCP", tcp(4000, 80), tcp(PORT, 80), 4000, 548, true),
    ...errorCases(f, "TCP, cut short", tcp(4000, 80), tcp(PORT, 80), 4000, short, false),
    ...errorCases(f, "an echo", echo(family, 4000), echo(family, PORT), 4000, 548, true),
    {
      name: `${f}: a pod's ICMP error about an answer quotes what came in to the node`,
      program: "to_wire",
      before: (plane) => out(plane, f, udp(4000, 53)),
      frame: frame(podA[f], outside[f], icmpError(family, ipPacket(outside[f], podA[f], udp(53, 4000))), MACS),
      verdict: "next",
      metrics: ["nat_out"],
      check: (d, ran) => {
        assert.deepEqual([d.src, d.dst], [node[f], outside[f]]);
        const inner = quoted(ran.frame);
        assert.deepEqual([inner.src, inner.dst, inner.dstPort, inner.wrongSums], [outside[f], node[f], PORT, []]);
      },
    },
    {
      name: `${f}: a pod's ICMP error about no translated flow leaves as it is`,
      program: "to_wire",
      frame: frame(podA[f], outside[f], icmpError(family, ipPacket(outside[f], podA[f], udp(53, 4000))), MACS),
      verdict: "next",
      metrics: [],
      check: (d) => assert.equal(d.src, podA[f]),
    },
    {
      name: `${f}: a pod's ICMP error that quotes what was not sent to it`,
      program: "to_wire",
      frame: frame(podA[f], outside[f], icmpError(family, ipPacket(node[f], podA[f], udp(53, 4000))), MACS),
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
  ];
});
