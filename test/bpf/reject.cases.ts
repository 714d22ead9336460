/** Answers to what policy denies, where configuration asks for them. */

import assert from "node:assert/strict";
import { ConfigFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { echo, frame, icmpError, ipPacket, payload, raw, sctp, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { always, bothFamilies, denied, familyOf, icmpOf, rule, TWILL1, VIA_NODE2, type Word } from "./policy-way.ts";
import { MACS } from "./wire-way.ts";

const { podA, podB, remote, node, outside, router } = NODE;
const GATEWAY = "ee:ee:ee:ee:ee:ee";
const { syn, ack, fin, rst } = TCP_FLAG;
const MASQUERADE = ConfigFlag.masquerade4 | ConfigFlag.masquerade6;
const ANSWERED = ["rejected", "drop_policy"];
/** What the frames of tests have for numbers, see tcp(). */
const SEQUENCE = 9;
const ACKNOWLEDGED = 5;

/** Pod A may do nothing, and who tries is told. */
export function refuseAll(plane: Plane): void {
  plane.forgetAnswers();
  plane.putConfig({ flags: MASQUERADE | ConfigFlag.noShortcut | ConfigFlag.reject });
  for (const direction of ["ingress", "egress"] as const) rule(plane, "podA", direction, { rows: [always(denied(1))] });
}

const word = (b: Uint8Array, at: number) => new DataView(b.buffer, b.byteOffset).getUint32(at);

interface Reset {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
}

/** A reset from where the segment was for. */
function resets(f: Word, what: string, t: Transport, expected: Reset, o = {}): Case {
  return {
    name: `${f}: ${what} is reset`,
    program: "from_pod",
    before: refuseAll,
    frame: frame(podA[f], podB[f], t, o),
    verdict: "redirect",
    to: podA.ifindex,
    metrics: ANSWERED,
    check: (out, ran) => {
      assert.deepEqual([out.src, out.dst, out.srcPort, out.dstPort], [podB[f], podA[f], 80, 4000]);
      assert.deepEqual([out.dstMac, out.srcMac, out.ttl], [podA.mac, GATEWAY, 64]);
      assert.equal(out.transport.length, 20);
      assert.deepEqual([word(out.transport, 4), word(out.transport, 8)], [expected.seq, expected.ack]);
      assert.deepEqual([out.transport[12], out.transport[13]], [0x50, expected.flags]);
      assert.equal(ran.frame.length, 14 + (f === "v4" ? 20 : 40) + 20);
    },
  };
}

/** An error from the gateway that quotes the packet, or as much as fits. */
function prohibits(f: Word, what: string, t: Transport, quotedBytes?: number, o = {}): Case {
  const packet = ipPacket(podA[f], podB[f], t, o);
  const length = quotedBytes ?? packet.length & ~3;
  return {
    name: `${f}: ${what} is answered as prohibited`,
    program: "from_pod",
    before: refuseAll,
    frame: frame(podA[f], podB[f], t, o),
    verdict: "redirect",
    to: podA.ifindex,
    metrics: ANSWERED,
    check: (out, ran) => {
      assert.deepEqual([out.src, out.dst, out.protocol, out.ttl], [router[f], podA[f], icmpOf(f), 64]);
      assert.deepEqual([out.dstMac, out.srcMac], [podA.mac, GATEWAY]);
      assert.deepEqual([...out.transport.subarray(0, 2)], f === "v4" ? [3, 13] : [1, 1]);
      assert.equal(word(out.transport, 4), 0);
      assert.deepEqual(out.transport.slice(8), packet.slice(0, length));
      assert.equal(ran.frame.length, 14 + (f === "v4" ? 20 : 40) + 8 + length);
    },
  };
}

function isSilent(f: Word, what: string, t: Transport, more: Partial<Case> = {}): Case {
  return {
    name: `${f}: ${what} is not answered`,
    program: "from_pod",
    before: refuseAll,
    frame: frame(podA[f], podB[f], t),
    verdict: "drop",
    metrics: ["drop_policy"],
    ...more,
  };
}

const answers: Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = familyOf(f);
  const data = (length: number, flags: number) => tcp(4000, 80, { flags, data: payload(length) });
  return [
    resets(f, "a SYN", data(0, syn), { flags: rst | ack, seq: 0, ack: SEQUENCE + 1 }),
    resets(f, "a SYN with bytes", data(7, syn), { flags: rst | ack, seq: 0, ack: SEQUENCE + 8 }),
    resets(f, "bytes and a FIN without ACK", data(7, fin), { flags: rst | ack, seq: 0, ack: SEQUENCE + 8 }),
    resets(f, "a segment with ACK", data(7, ack), { flags: rst, seq: ACKNOWLEDGED, ack: 0 }),
    resets(f, "a SYN with ACK", data(0, syn | ack), { flags: rst, seq: ACKNOWLEDGED, ack: 0 }),
    resets(
      f,
      "a SYN with options of both headers",
      tcp(4000, 80, { flags: syn, options: [2, 4, 5, 180, 1, 1, 1, 1], data: payload(3) }),
      { flags: rst | ack, seq: 0, ack: SEQUENCE + 4 },
      f === "v4" ? { options: [1, 1, 1, 1] } : { extensions: [60] },
    ),
    resets(f, "a large segment", data(1400, ack), { flags: rst, seq: ACKNOWLEDGED, ack: 0 }),
    prohibits(f, "UDP", udp(4000, 80)),
    prohibits(f, "UDP of an odd length", udp(4000, 80, payload(9))),
    prohibits(f, "UDP of nothing", udp(4000, 80, payload(0))),
    prohibits(f, "UDP of more than one sum holds", udp(4000, 80, payload(490)), undefined),
    prohibits(f, "UDP of more than is quoted", udp(4000, 80, payload(1400)), f === "v4" ? 548 : 1232),
    prohibits(f, "an echo", echo(family, 9)),
    prohibits(f, "SCTP", sctp(4000, 80)),
    prohibits(f, "another protocol", raw(47, payload(16))),
    {
      ...prohibits(f, "a first fragment", udp(4000, 80, payload(24)), undefined, {
        fragment: { id: 7, offset: 0, more: true },
      }),
      metrics: ["fragment", ...ANSWERED],
    },
    isSilent(f, "a reset", tcp(4000, 80, { flags: rst })),
    isSilent(f, "a reset with ACK", tcp(4000, 80, { flags: rst | ack })),
    isSilent(f, "an ICMP error", icmpError(family, ipPacket(podB[f], podA[f], udp(80, 4000))), {
      before: (plane) => {
        plane.putEndpoint(podB[f], { ...podB, ifindex: 1 });
        plane.run("from_pod", frame(podB[f], podA[f], udp(80, 4000), { srcMac: podB.mac }));
        refuseAll(plane);
      },
      metrics: ["icmp_related", "policy_rejudged", "drop_policy"],
    }),
    isSilent(f, "a later fragment", raw(17, payload(24)), {
      before: (plane) => {
        refuseAll(plane);
        const fragment = { id: 7, offset: 0, more: true };
        plane.run("from_pod", frame(podA[f], podB[f], udp(4000, 80, payload(24)), { fragment }));
      },
      frame: frame(podA[f], podB[f], raw(17, payload(24)), { fragment: { id: 7, offset: 4, more: false } }),
      metrics: ["fragment", "drop_policy"],
    }),
    isSilent(f, "anything where configuration does not ask for it", udp(4000, 80), {
      before: (plane) => {
        refuseAll(plane);
        plane.putConfig();
      },
    }),
  ];
});

/** Back the way that the denied packet came. */
const waysBack: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: what came through the tunnel is answered through the tunnel`,
    program: "from_tunnel",
    before: refuseAll,
    frame: frame(remote[f], podA[f], udp(4000, 80)),
    options: VIA_NODE2,
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ANSWERED,
    check: (out, ran) => {
      assert.deepEqual([out.src, out.dst, out.dstMac, out.srcMac], [router[f], remote[f], GATEWAY, GATEWAY]);
      assert.equal(ran.vni, NODE.vni);
      assert.equal(ran.tunnelWord, 0x0c4d_a8c0, "192.168.77.12 in network order");
    },
  },
  {
    name: `${f}: a connection through the tunnel is reset through it`,
    program: "from_tunnel",
    before: refuseAll,
    frame: frame(remote[f], podA[f], tcp(4000, 80, { flags: syn })),
    options: VIA_NODE2,
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ANSWERED,
    check: (out) => assert.deepEqual([out.src, out.dst, out.transport[13]], [podA[f], remote[f], rst | ack]),
  },
  {
    name: `${f}: what came from the stack is answered to the stack`,
    program: "from_host",
    before: refuseAll,
    frame: frame(node[f], podA[f], tcp(4000, 80, { flags: syn }), TWILL1),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ANSWERED,
    check: (out) => assert.deepEqual([out.src, out.dst, out.dstMac], [podA[f], node[f], GATEWAY]),
  },
  {
    name: `${f}: what was on its way out is answered to the stack, which undoes its translation`,
    program: "to_wire",
    before: refuseAll,
    frame: frame(podA[f], outside[f], udp(4000, 80), MACS),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ANSWERED,
    check: (out) => assert.deepEqual([out.src, out.dst, out.dstMac], [router[f], podA[f], GATEWAY]),
  },
  {
    name: `${f}: without an address of the gateway the error comes from where the packet was for`,
    program: "from_pod",
    before: (plane) => {
      refuseAll(plane);
      const none = new Uint8Array(16);
      plane.putConfig({ flags: MASQUERADE | ConfigFlag.reject, router4: none, router6: none });
    },
    frame: frame(podA[f], podB[f], udp(4000, 80)),
    verdict: "redirect",
    to: podA.ifindex,
    metrics: ANSWERED,
    check: (out) => assert.equal(out.src, podB[f]),
  },
]);

export const REJECT_CASES: readonly Case[] = [...answers, ...waysBack];

/** A first packet that pod A may not send, for who counts answers. */
export const REFUSED = frame(podA.v4, podB.v4, udp(4000, 80));
