/** What to_wire and from_wire do with fragments, with errors about what they translated, and where a flow ends. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { ConfigFlag, encodeNatEntry, encodeNatKey, NatDirection } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { echo, frame, PROTO, payload, raw, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { WIRE_ERROR_CASES } from "./wire-errors.cases.ts";
import { bothFamilies, familyOf, MACS, onePort, out, PORT, sent } from "./wire-way.ts";

const { podA, outside, node } = NODE;

const first = { id: 99, offset: 0, more: true } as const;
const later = { id: 99, offset: 4, more: false } as const;

const fragments: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: a first fragment is translated with its ports`,
    program: "to_wire",
    before: (plane) => {
      onePort(plane);
      sent(plane, f, udp(4000, 53, payload(24)), { fragment: first });
    },
    frame: frame(podA[f], outside[f], udp(4000, 53, payload(24)), { ...MACS, fragment: first }),
    verdict: "next",
    metrics: ["nat_out", "nat_created", "fragment"],
    check: (d) => assert.deepEqual([d.src, d.srcPort], [node[f], PORT]),
  },
  {
    name: `${f}: a later fragment is translated by its address alone`,
    program: "to_wire",
    before: (plane) => {
      onePort(plane);
      plane.run("to_wire", frame(podA[f], outside[f], udp(4000, 53, payload(24)), { ...MACS, fragment: first }));
    },
    frame: frame(podA[f], outside[f], raw(PROTO.udp, payload(24)), { ...MACS, fragment: later }),
    verdict: "next",
    metrics: ["nat_out", "fragment"],
    check: (d) => {
      assert.equal(d.src, node[f]);
      assert.deepEqual(d.transport, payload(24));
    },
  },
  {
    name: `${f}: a later fragment of a pod without its first`,
    program: "to_wire",
    frame: frame(podA[f], outside[f], raw(PROTO.udp, payload(24)), { ...MACS, fragment: later }),
    verdict: "drop",
    metrics: ["fragment", "drop_fragment_unknown"],
  },
  {
    name: `${f}: a later fragment of an answer goes to the pod`,
    program: "from_wire",
    before: (plane) => {
      out(plane, f, udp(4000, 53));
      plane.run("from_wire", frame(outside[f], node[f], udp(53, PORT, payload(24)), { ...MACS, fragment: first }));
    },
    frame: frame(outside[f], node[f], raw(PROTO.udp, payload(24)), { ...MACS, fragment: later }),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "nat_in", "fragment"],
    check: (d) => {
      assert.equal(d.dst, podA[f]);
      assert.deepEqual(d.transport, payload(24));
    },
  },
  {
    name: `${f}: a later fragment of an echo's answer goes to the pod`,
    program: "from_wire",
    before: (plane) => {
      out(plane, f, echo(familyOf(f), 4000));
      const answer = echo(familyOf(f), PORT, true, payload(24));
      plane.run("from_wire", frame(outside[f], node[f], answer, { ...MACS, fragment: first }));
    },
    frame: frame(outside[f], node[f], raw(f === "v4" ? PROTO.icmp : PROTO.icmp6, payload(24)), {
      ...MACS,
      fragment: later,
    }),
    verdict: "peer",
    metrics: ["forward_local", "nat_in", "fragment"],
  },
  {
    name: `${f}: a later fragment to the node itself is the stack's to judge`,
    program: "from_wire",
    frame: frame(outside[f], node[f], raw(PROTO.udp, payload(24)), { ...MACS, fragment: later }),
    verdict: "next",
    metrics: ["fragment"],
  },
]);

const ends: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: an answer to a pod that is gone`,
    program: "from_wire",
    before: (plane) => {
      out(plane, f, udp(4000, 53));
      plane.remove("endpoints", addr(podA[f]).bytes);
    },
    frame: frame(outside[f], node[f], udp(53, PORT), MACS),
    verdict: "drop",
    isDroppedLate: true,
    metrics: ["nat_in", "drop_no_endpoint"],
  },
  {
    name: `${f}: an answer on its last hop`,
    program: "from_wire",
    before: (plane) => out(plane, f, udp(4000, 53)),
    frame: frame(outside[f], node[f], udp(53, PORT), { ...MACS, ttl: 1 }),
    verdict: "drop",
    isDroppedLate: true,
    metrics: ["nat_in", "drop_ttl"],
  },
  {
    name: `${f}: an answer to a limited pod goes through the queue of its pair`,
    program: "from_wire",
    before: (plane) => {
      plane.putEndpoint(podA[f], { ...podA, flags: 1 });
      out(plane, f, udp(4000, 53));
    },
    frame: frame(outside[f], node[f], udp(53, PORT), MACS),
    verdict: "redirect",
    to: podA.ifindex,
    metrics: ["forward_local", "nat_in"],
    check: (d) => assert.equal(d.dst, podA[f]),
  },
  {
    name: `${f}: an answer over UDP goes to its pod also where the firewall follows connections`,
    program: "from_wire",
    before: (plane) => {
      out(plane, f, udp(4000, 53));
      const { masquerade4, masquerade6, tracked } = ConfigFlag;
      plane.putConfig({ flags: masquerade4 | masquerade6 | tracked });
    },
    frame: frame(outside[f], node[f], udp(53, PORT), MACS),
    verdict: "peer",
    to: podA.ifindex,
    metrics: ["forward_local", "nat_in"],
  },
  {
    name: `${f}: an answer goes through the stack where the firewall follows connections`,
    program: "from_wire",
    before: (plane) => {
      out(plane, f, tcp(4000, 80, { flags: TCP_FLAG.syn }));
      const { masquerade4, masquerade6, tracked } = ConfigFlag;
      plane.putConfig({ flags: masquerade4 | masquerade6 | tracked });
    },
    frame: frame(outside[f], node[f], tcp(80, PORT, { flags: TCP_FLAG.syn | TCP_FLAG.ack }), MACS),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "nat_in"],
    check: (d) => assert.equal(d.dst, podA[f]),
  },
]);

/** A translation that another processor wrote between the look-up and the allocation cannot be played here; a leftover can. */
const leftovers: Case[] = [
  {
    name: "v4: an incoming entry without its outgoing one counts as a port in use",
    program: "to_wire",
    before: (plane) => {
      onePort(plane);
      const key = { src: addr(outside.v4).bytes, dst: addr(node.v4).bytes, srcPort: 53, dstPort: PORT };
      plane.put(
        "nat",
        encodeNatKey({ ...key, protocol: PROTO.udp, direction: NatDirection.in }),
        encodeNatEntry({ addr: addr(podA.v4).bytes, port: 1, created: 1, flags: 0 }),
      );
      sent(plane, "v4", udp(4000, 53));
    },
    frame: frame(podA.v4, outside.v4, udp(4000, 53), MACS),
    verdict: "drop",
    metrics: ["nat_collision", "drop_nat_no_port"],
  },
];

export const WIRE_PARTS_CASES: readonly Case[] = [...fragments, ...ends, ...WIRE_ERROR_CASES, ...leftovers];
