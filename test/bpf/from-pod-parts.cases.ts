/** What from_pod does with fragments, ICMP errors, options and extension headers. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { echo, frame, icmp6, icmpError, ipPacket, PROTO, payload, raw, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";

const { podA, podB, remote } = NODE;
const bothFamilies = ["v4", "v6"] as const;

const first = { id: 4711, offset: 0, more: true } as const;
const later = { id: 4711, offset: 4, more: false } as const;

const fragments: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: a first fragment`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], udp(1, 2, payload(24)), { fragment: first }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created", "fragment"],
  },
  {
    name: `${f}: a later fragment belongs to the flow of the first`,
    program: "from_pod",
    before: (plane) => plane.run("from_pod", frame(podA[f], podB[f], udp(1, 2, payload(24)), { fragment: first })),
    frame: frame(podA[f], podB[f], raw(PROTO.udp, payload(24)), { fragment: later }),
    verdict: "peer",
    to: podB.ifindex,
    metrics: ["forward_local", "fragment"],
    check: (_, __, plane) => assert.equal(plane.flows("ct_other").length, 1),
  },
  {
    name: `${f}: a later fragment without its first`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], raw(PROTO.udp, payload(24)), { fragment: later }),
    verdict: "drop",
    metrics: ["fragment", "drop_fragment_unknown"],
  },
  {
    name: `${f}: a later fragment of another datagram`,
    program: "from_pod",
    before: (plane) => plane.run("from_pod", frame(podA[f], podB[f], udp(1, 2, payload(24)), { fragment: first })),
    frame: frame(podA[f], podB[f], raw(PROTO.udp, payload(24)), { fragment: { ...later, id: 4712 } }),
    verdict: "drop",
    metrics: ["fragment", "drop_fragment_unknown"],
  },
  {
    name: `${f}: a fragmented echo`,
    program: "from_pod",
    before: (plane) =>
      plane.run(
        "from_pod",
        frame(podA[f], remote[f], echo(f === "v4" ? 4 : 6, 9, false, payload(24)), { fragment: first }),
      ),
    frame: frame(podA[f], remote[f], raw(f === "v4" ? PROTO.icmp : PROTO.icmp6, payload(24)), { fragment: later }),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "fragment"],
  },
]);

const errors: Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = f === "v4" ? 4 : 6;
  const about = (src: string, dst: string) => ipPacket(src, dst, udp(53, 4000));
  const asked = (plane: Plane) => plane.run("from_pod", frame(podA[f], remote[f], udp(4000, 53)));
  return [
    {
      name: `${f}: an ICMP error about a packet of a known flow`,
      program: "from_pod",
      before: asked,
      frame: frame(podA[f], remote[f], icmpError(family, about(remote[f], podA[f]))),
      verdict: "redirect",
      to: NODE.tunnel,
      metrics: ["forward_tunnel", "icmp_related"],
    },
    {
      name: `${f}: an ICMP error that quotes no more than RFC 792 asks for`,
      program: "from_pod",
      before: asked,
      frame: frame(podA[f], remote[f], icmpError(family, about(remote[f], podA[f]), f === "v4" ? 28 : 48)),
      verdict: "redirect",
      metrics: ["forward_tunnel", "icmp_related"],
    },
    {
      name: `${f}: an ICMP error about no flow`,
      program: "from_pod",
      frame: frame(podA[f], remote[f], icmpError(family, about(remote[f], podA[f]))),
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: an ICMP error to somebody who did not send what it quotes`,
      program: "from_pod",
      before: asked,
      frame: frame(podA[f], podB[f], icmpError(family, about(remote[f], podA[f]))),
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: an ICMP error about a packet that was for somebody else`,
      program: "from_pod",
      before: (plane) =>
        plane.run("from_tunnel", frame(remote[f], podB[f], udp(53, 4000)), { tunnel: { from: NODE.remoteNode.v4 } }),
      frame: frame(podA[f], remote[f], icmpError(family, about(remote[f], podB[f]))),
      verdict: "drop",
      metrics: ["icmp_related", "drop_icmp_unrelated"],
    },
    {
      name: `${f}: an ICMP error whose quotation is cut off`,
      program: "from_pod",
      before: asked,
      frame: frame(podA[f], remote[f], icmpError(family, about(remote[f], podA[f]), 12)),
      verdict: "drop",
      metrics: ["drop_malformed"],
    },
    {
      name: `${f}: an ICMP error about an ICMP error`,
      program: "from_pod",
      before: asked,
      frame: frame(
        podA[f],
        remote[f],
        icmpError(family, ipPacket(remote[f], podA[f], icmpError(family, about(podA[f], remote[f])))),
      ),
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: an ICMP error about a later fragment`,
      program: "from_pod",
      before: asked,
      frame: frame(
        podA[f],
        remote[f],
        icmpError(family, ipPacket(remote[f], podA[f], raw(PROTO.udp, payload(16)), { fragment: later })),
      ),
      verdict: "drop",
      metrics: ["drop_icmp_unrelated"],
    },
    {
      name: `${f}: an ICMP error about what came through the stack goes back there`,
      program: "from_pod",
      before: (plane) => plane.run("from_host", frame(podB[f], podA[f], udp(53, 4000))),
      frame: frame(podA[f], podB[f], icmpError(family, about(podB[f], podA[f]))),
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "icmp_related"],
    },
  ];
});

const extensions: Case[] = [
  {
    name: "v4: options are kept, and skipped on the way to the ports",
    program: "from_pod",
    frame: frame(podA.v4, podB.v4, udp(7, 8), { options: [148, 4, 0, 0] }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    check: (_, __, plane) => {
      const key = plane.flows("ct_other")[0]?.key;
      assert.deepEqual(new Set([key?.lowPort, key?.highPort]), new Set([7, 8]));
    },
  },
  {
    name: "v6: extension headers are skipped on the way to the ports",
    program: "from_pod",
    frame: frame(podA.v6, podB.v6, tcp(7, 8), {
      extensions: [PROTO.hopByHop, PROTO.destination, PROTO.routing, PROTO.ah],
    }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    isSumless: true,
    check: (_, __, plane) => {
      const key = plane.flows()[0]?.key;
      assert.deepEqual([key?.protocol, new Set([key?.lowPort, key?.highPort])], [PROTO.tcp, new Set([7, 8])]);
    },
  },
  {
    name: "v6: six extension headers are looked through",
    program: "from_pod",
    frame: frame(podA.v6, podB.v6, udp(7, 8), { extensions: new Array(6).fill(PROTO.destination) }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
  {
    name: "v6: seven extension headers are not",
    program: "from_pod",
    frame: frame(podA.v6, podB.v6, udp(7, 8), { extensions: new Array(7).fill(PROTO.destination) }),
    verdict: "drop",
    metrics: ["drop_extension_headers"],
  },
  {
    name: "v6: an atomic fragment is a whole packet",
    program: "from_pod",
    frame: frame(podA.v6, podB.v6, udp(7, 8), { fragment: { id: 1, offset: 0, more: false } }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
  {
    name: "v6: no next header is a protocol like others",
    program: "from_pod",
    frame: frame(podA.v6, podB.v6, raw(59, new Uint8Array(8))),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
  {
    name: "v4: ICMPv6 over IPv4 is nothing but a protocol number",
    program: "from_pod",
    frame: frame(podA.v4, podB.v4, raw(PROTO.icmp6, icmp6(134, 0, [0, 0, 0, 0], payload(16)).bytes)),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
];

export const FROM_POD_PARTS_CASES: readonly Case[] = [...fragments, ...errors, ...extensions];
