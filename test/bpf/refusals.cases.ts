/** What from_pod refuses: other people's addresses, malformed packets, what belongs to the link; and what it answers. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import type { Case } from "./case.ts";
import { arp, echo, frame, icmp, icmp6, ipPacket, PROTO, patched, payload, raw, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";

const { podA, podB, remote } = NODE;
const ETHERNET = 14;
const bothFamilies = ["v4", "v6"] as const;

const spoofing: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: nothing passes before the node is configured`,
    program: "from_pod",
    before: (plane) => plane.putConfig({ twill0Ifindex: 0 }),
    frame: frame(podA[f], podB[f], udp(1, 2)),
    verdict: "drop",
    metrics: ["drop_not_configured"],
  },
  {
    name: `${f}: the address of another pod`,
    program: "from_pod",
    frame: frame(podB[f], remote[f], udp(1, 2), { srcMac: podB.mac }),
    verdict: "drop",
    metrics: ["drop_source_spoofed"],
  },
  {
    name: `${f}: an address that no pod has`,
    program: "from_pod",
    frame: frame(NODE.outside[f], podB[f], udp(1, 2)),
    verdict: "drop",
    metrics: ["drop_source_spoofed"],
  },
  {
    name: `${f}: the MAC of another pod`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], udp(1, 2), { srcMac: podB.mac }),
    verdict: "drop",
    metrics: ["drop_mac_spoofed"],
  },
  {
    name: `${f}: a frame that is not to the gateway`,
    program: "from_pod",
    frame: frame(podA[f], podB[f], udp(1, 2), { dstMac: podB.mac }),
    verdict: "drop",
    metrics: ["drop_wrong_mac"],
  },
  {
    name: `${f}: multicast is not forwarded and not told of`,
    program: "from_pod",
    frame: frame(podA[f], f === "v4" ? "224.0.0.251" : "ff02::fb", udp(5353, 5353), { dstMac: "01:00:5e:00:00:fb" }),
    verdict: "drop",
    metrics: ["ignored_multicast"],
  },
  {
    name: `${f}: a link-local destination`,
    program: "from_pod",
    frame: frame(podA[f], f === "v4" ? "169.254.1.1" : "fe80::1", udp(1, 2)),
    verdict: "drop",
    metrics: ["drop_link_local"],
  },
  {
    name: `${f}: an ICMP redirect`,
    program: "from_pod",
    frame: frame(
      podA[f],
      podB[f],
      f === "v4" ? icmp(5, 0, [10, 0, 0, 1], payload(28)) : icmp6(137, 0, [0, 0, 0, 0], payload(32)),
    ),
    verdict: "drop",
    metrics: ["drop_nd_spoofed"],
  },
]);

const v4 = frame(podA.v4, podB.v4, tcp(1, 2));
const v6 = frame(podA.v6, podB.v6, tcp(1, 2));
const u4 = frame(podA.v4, podB.v4, udp(1, 2));

function bad(name: string, bytes: Uint8Array, metric = "drop_malformed"): Case {
  return { name, program: "from_pod", frame: bytes, verdict: "drop", metrics: [metric] };
}

// Frames that are cut within the IP header are not here: TEST_RUN itself refuses them with EINVAL. The same reader meets
// them inside ICMP errors, in from-pod.cases.ts.
const malformed: Case[] = [
  bad("v4: version 5", patched(v4, ETHERNET, 0x55)),
  bad("v4: a header of 16 bytes", patched(v4, ETHERNET, 0x44)),
  bad("v4: a header longer than the packet", patched(u4, ETHERNET, 0x4f)),
  bad("v4: a length shorter than the header", patched(v4, ETHERNET + 2, 0, 10)),
  bad("v4: a length longer than the frame", patched(v4, ETHERNET + 2, 1, 0)),
  bad("v4: a length of 0 without segmentation", patched(v4, ETHERNET + 2, 0, 0)),
  bad("v4: cut behind the IP header", patched(v4.slice(0, ETHERNET + 20), ETHERNET + 2, 0, 20)),
  bad("v4: cut in the TCP header", patched(v4.slice(0, ETHERNET + 32), ETHERNET + 2, 0, 32)),
  bad("v4: a TCP header of 16 bytes", patched(v4, ETHERNET + 32, 0x40)),
  bad("v4: a TCP header longer than the packet", patched(v4, ETHERNET + 32, 0xf0)),
  bad(
    "v4: with options, a TCP header of 16 bytes",
    patched(frame(podA.v4, podB.v4, tcp(1, 2), { options: [1, 1, 1, 1] }), ETHERNET + 36, 0x40),
  ),
  bad("v4: cut in the UDP header", patched(u4.slice(0, ETHERNET + 24), ETHERNET + 2, 0, 24)),
  bad("v4: cut in the ICMP header", frame(podA.v4, podB.v4, raw(PROTO.icmp, payload(5)))),
  bad("v4: cut in the SCTP header", frame(podA.v4, podB.v4, raw(PROTO.sctp, payload(8)))),
  bad(
    "v4: a fragment over the first one's TCP flags",
    frame(podA.v4, podB.v4, raw(PROTO.tcp, payload(16)), { fragment: { id: 1, offset: 1, more: true } }),
  ),
  bad(
    "v4: a first fragment without the whole TCP header",
    frame(podA.v4, podB.v4, raw(PROTO.tcp, payload(16)), { fragment: { id: 1, offset: 0, more: true } }),
  ),
  bad("v6: version 4", patched(v6, ETHERNET, 0x40)),
  bad("v6: a length longer than the frame", patched(v6, ETHERNET + 4, 1, 0)),
  bad("v6: a length of 0 without segmentation", patched(v6, ETHERNET + 4, 0, 0)),
  bad("v6: cut in the TCP header", patched(v6.slice(0, ETHERNET + 52), ETHERNET + 4, 0, 12)),
  bad("v6: a TCP header of 16 bytes", patched(v6, ETHERNET + 52, 0x40)),
  bad(
    "v6: behind an extension header, a TCP header of 16 bytes",
    patched(frame(podA.v6, podB.v6, tcp(1, 2), { extensions: [60] }), ETHERNET + 60, 0x40),
  ),
  bad(
    "v6: an extension header that leads out of the packet",
    patched(frame(podA.v6, podB.v6, udp(1, 2), { extensions: [60] }), ETHERNET + 41, 200),
  ),
  bad("v6: an extension header that is cut off", frame(podA.v6, podB.v6, raw(PROTO.destination, payload(4)))),
  bad(
    "v6: a mapped source",
    frame("fd00::1", podB.v6, tcp(1, 2)).map((b, i) => (i >= 22 && i < 38 ? (addr(podA.v4).bytes[i - 22] ?? 0) : b)),
  ),
  bad(
    "v6: a mapped source behind an extension header",
    frame("fd00::1", podB.v6, udp(1, 2), { extensions: [60] }).map((b, i) =>
      i >= 22 && i < 38 ? (addr(podA.v4).bytes[i - 22] ?? 0) : b,
    ),
  ),
  bad("v4 under the EtherType of v6", patched(v4, 12, 0x86, 0xdd)),
  bad("v6 under the EtherType of v4", patched(v6, 12, 0x08, 0x00)),
  bad("an EtherType that is not IP", patched(v4, 12, 0x88, 0xcc), "drop_not_ip"),
  bad("a VLAN tag", patched(v4, 12, 0x81, 0x00), "drop_vlan"),
  bad("two VLAN tags", patched(v4, 12, 0x88, 0xa8), "drop_vlan"),
  {
    name: "v4: a length of 0 of a packet that is to be segmented",
    program: "from_pod",
    frame: patched(v4, ETHERNET + 2, 0, 0),
    options: { gsoSize: 4, gsoSegs: 2 },
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    isSumless: true,
  },
  {
    name: "v6: a length of 0 of a packet that is to be segmented",
    program: "from_pod",
    frame: patched(v6, ETHERNET + 4, 0, 0),
    options: { gsoSize: 4, gsoSegs: 2 },
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
    isSumless: true,
  },
  {
    name: "v4: padding of a short frame is not part of the packet",
    program: "from_pod",
    frame: Uint8Array.from([...frame(podA.v4, podB.v4, udp(1, 2, payload(1))), ...new Uint8Array(20)]),
    verdict: "peer",
    metrics: ["forward_local", "ct_created"],
  },
];

const arpCases: Case[] = [
  {
    name: "ARP: the gateway answers",
    program: "from_pod",
    frame: arp(podA.v4, "169.254.1.1"),
    verdict: "redirect",
    to: 1,
    metrics: ["answer_arp"],
    isSumless: true,
    check: (_, ran) => {
      const f = Buffer.from(ran.frame);
      assert.equal(f.subarray(0, 12).toString("hex"), "0a5800000010eeeeeeeeeeee");
      assert.equal(f.subarray(12, 22).toString("hex"), "08060001080006040002");
      assert.equal(f.subarray(22, 42).toString("hex"), "eeeeeeeeeeeea9fe01010a58000000100af4010a");
    },
  },
  { ...bad("ARP: for somebody else", arp(podA.v4, podB.v4), "ignored_arp") },
  { ...bad("ARP: a probe", arp("0.0.0.0", podA.v4), "ignored_arp") },
  { ...bad("ARP: an announcement of one's own", arp(podA.v4, podA.v4, { operation: 2 }), "ignored_arp") },
  { ...bad("ARP: with the address of another pod", arp(podB.v4, "169.254.1.1"), "drop_arp_spoofed") },
  { ...bad("ARP: with an address that no pod has", arp("10.9.9.9", "169.254.1.1"), "drop_arp_spoofed") },
  {
    ...bad(
      "ARP: with another MAC inside",
      arp(podA.v4, "169.254.1.1", { senderMac: podB.mac, frameMac: podA.mac }),
      "drop_arp_spoofed",
    ),
  },
  { ...bad("ARP: with another MAC outside", arp(podA.v4, "169.254.1.1", { frameMac: podB.mac }), "drop_arp_spoofed") },
  { ...bad("ARP: announcing the gateway", arp("169.254.1.1", "169.254.1.1", { operation: 2 }), "drop_arp_spoofed") },
  { ...bad("ARP: of another kind", patched(arp(podA.v4, "169.254.1.1"), 17, 9), "drop_malformed") },
  { ...bad("ARP: cut off", arp(podA.v4, "169.254.1.1").slice(0, 40), "drop_malformed") },
];

const LINK_LOCAL = "fe80::858:ff:fe00:10";
const target = (a: string) => addr(a).bytes;
const solicitation = (to: string, option: readonly number[] = [1, 1, 0x0a, 0x58, 0, 0, 0, 0x10]) =>
  icmp6(135, 0, [0, 0, 0, 0], Uint8Array.from([...target(to), ...option]));

function answered(name: string, src: string, dst: string, option?: readonly number[]): Case {
  return {
    name,
    program: "from_pod",
    frame: frame(src, dst, solicitation("fe80::1", option), { ttl: 255 }),
    verdict: "redirect",
    to: 1,
    metrics: ["answer_nd"],
    check: (out, ran) => {
      assert.deepEqual([out.src, out.dst, out.ttl], ["fe80::1", src, 255]);
      assert.deepEqual([out.dstMac, out.srcMac], ["0a:58:00:00:00:10", "ee:ee:ee:ee:ee:ee"]);
      assert.equal(ran.frame.length, 86);
      const na = Buffer.from(out.transport);
      assert.equal(na.subarray(0, 2).toString("hex"), "8800");
      assert.equal(na.subarray(4, 32).toString("hex"), "e0000000fe8000000000000000000000000000010201eeeeeeeeeeee");
    },
  };
}

const ndCases: Case[] = [
  answered("ND: the gateway answers a link-local address", LINK_LOCAL, "ff02::1:ff00:1"),
  answered("ND: the gateway answers the pod's address", podA.v6, "ff02::1:ff00:1"),
  answered("ND: the gateway answers a probe without option", podA.v6, "fe80::1", []),
  bad(
    "ND: a question about somebody else",
    frame(podA.v6, "ff02::1:ff00:11", solicitation(podB.v6), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: duplicate address detection",
    frame("::", "ff02::1:ff00:10", solicitation(podA.v6, []), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: detection of a duplicate of the gateway",
    frame("::", "ff02::1:ff00:1", solicitation("fe80::1", []), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: router solicitation",
    frame(LINK_LOCAL, "ff02::2", icmp6(133, 0, [0, 0, 0, 0], payload(0)), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: router advertisement",
    frame(LINK_LOCAL, "ff02::1", icmp6(134, 0, [64, 0, 0, 30], payload(8)), { ttl: 255 }),
    "drop_nd_spoofed",
  ),
  bad(
    "ND: redirect",
    frame(LINK_LOCAL, podB.v6, icmp6(137, 0, [0, 0, 0, 0], payload(32)), { ttl: 255 }),
    "drop_nd_spoofed",
  ),
  bad(
    "ND: one's own advertisement",
    frame(podA.v6, "ff02::1", icmp6(136, 0, [0x20, 0, 0, 0], target(podA.v6)), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: advertisement of one's link-local address",
    frame(LINK_LOCAL, "ff02::1", icmp6(136, 0, [0x20, 0, 0, 0], target(LINK_LOCAL)), { ttl: 255 }),
    "ignored_nd",
  ),
  bad(
    "ND: advertisement of another pod",
    frame(podA.v6, "ff02::1", icmp6(136, 0, [0x20, 0, 0, 0], target(podB.v6)), { ttl: 255 }),
    "drop_nd_spoofed",
  ),
  bad(
    "ND: advertisement of the gateway",
    frame(podA.v6, "ff02::1", icmp6(136, 0, [0x20, 0, 0, 0], target("fe80::1")), { ttl: 255 }),
    "drop_nd_spoofed",
  ),
  bad(
    "ND: with the address of another pod",
    frame(podB.v6, "ff02::1:ff00:1", solicitation("fe80::1"), { ttl: 255 }),
    "drop_nd_spoofed",
  ),
  bad(
    "ND: from beyond the link",
    frame(podA.v6, "ff02::1:ff00:1", solicitation("fe80::1"), { ttl: 254 }),
    "drop_malformed",
  ),
  bad(
    "ND: with a code",
    frame(podA.v6, "ff02::1:ff00:1", icmp6(135, 1, [0, 0, 0, 0], target("fe80::1")), { ttl: 255 }),
    "drop_malformed",
  ),
  bad(
    "ND: without a target",
    frame(podA.v6, "ff02::1:ff00:1", icmp6(135, 0, [0, 0, 0, 0], payload(8)), { ttl: 255 }),
    "drop_malformed",
  ),
  bad(
    "ND: behind an extension header",
    frame(podA.v6, "ff02::1:ff00:1", solicitation("fe80::1"), { ttl: 255, extensions: [60] }),
    "drop_malformed",
  ),
  bad(
    "MLD is not forwarded",
    frame(LINK_LOCAL, "ff02::16", icmp6(143, 0, [0, 0, 0, 1], payload(20)), { ttl: 1, extensions: [0] }),
    "ignored_multicast",
  ),
  bad("DHCPv6 is not forwarded", frame(LINK_LOCAL, "ff02::1:2", udp(546, 547)), "ignored_multicast"),
  bad(
    "DHCP is not forwarded",
    frame("0.0.0.0", "255.255.255.255", udp(68, 67), { dstMac: "ff:ff:ff:ff:ff:ff" }),
    "ignored_multicast",
  ),
  bad("v6: unicast from a link-local address", frame(LINK_LOCAL, podB.v6, udp(1, 2)), "drop_link_local"),
  bad("v4: the node's own loopback", frame(podA.v4, "127.0.0.1", udp(1, 10_248)), "drop_link_local"),
  bad("v4: an echo inside nothing", frame("0.0.0.0", podB.v4, echo(4, 1)), "drop_source_spoofed"),
];

/** An inner packet of the other family does not make an ICMP error of this one. */
const mixed: Case[] = [
  bad(
    "v4: an ICMP error that quotes IPv6",
    frame(podA.v4, remote.v4, icmp(3, 3, [0, 0, 0, 0], ipPacket(remote.v6, podA.v6, udp(1, 2)))),
    "drop_icmp_unrelated",
  ),
];

export const REFUSAL_CASES: readonly Case[] = [...spoofing, ...malformed, ...arpCases, ...ndCases, ...mixed];
