/** Policy between pods and the outside: masqueraded flows, what the stack has translated, and the tunnel's shortcut. */

import assert from "node:assert/strict";
import { CtFlag, NatFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { echo, frame, icmpError, ipPacket, PROTO, type Transport, tcp, udp, vxlan } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { allowed, always, denied, echoPort, icmpOf, onPort, rule, VIA_NODE2 } from "./policy-way.ts";
import { waitForTick } from "./ticks.ts";
import { bothFamilies, familyOf, MACS, onePort, out, PORT, type Word } from "./wire-way.ts";

const { podA, remote, outside, node, remoteNode } = NODE;

/** The pod may ask that and nothing else, and nobody may ask it. */
function onlyAsks(plane: Plane, protocol: number, port: number): void {
  rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
  rule(plane, "podA", "egress", { rows: [always(denied(2)), onPort(protocol, port, allowed(3))] });
}

const forbid = (plane: Plane) => rule(plane, "podA", "egress", { rows: [always(denied(4))] });

interface Asking {
  readonly name: string;
  readonly question: Transport;
  /** As the outside sends it, to the node's port. */
  readonly answer: Transport;
  /** The question as it left. */
  readonly sent: Transport;
  readonly protocol: number;
  readonly port: number;
}

const askings = (f: Word): readonly Asking[] => [
  {
    name: "TCP",
    question: tcp(4000, 80),
    answer: tcp(80, PORT),
    sent: tcp(PORT, 80),
    protocol: PROTO.tcp,
    port: 80,
  },
  {
    name: "UDP",
    question: udp(4000, 53),
    answer: udp(53, PORT),
    sent: udp(PORT, 53),
    protocol: PROTO.udp,
    port: 53,
  },
  {
    name: "an echo",
    question: echo(familyOf(f), 4000),
    answer: echo(familyOf(f), PORT, true),
    sent: echo(familyOf(f), PORT),
    protocol: icmpOf(f),
    port: echoPort(f),
  },
];

const masqueraded: Case[] = bothFamilies.flatMap((f) =>
  askings(f).flatMap(({ name, question, answer, sent, protocol, port }): Case[] => {
    const back = { program: "from_wire", frame: frame(outside[f], node[f], answer, MACS) } as const;
    const begun = (plane: Plane) => {
      onlyAsks(plane, protocol, port);
      out(plane, f, question);
    };
    const error = icmpError(familyOf(f), ipPacket(node[f], outside[f], sent));
    const failed = { program: "from_wire", frame: frame(outside[f], node[f], error, MACS) } as const;
    return [
      {
        name: `${f}: ${name}: what answers from outside follows its flow`,
        ...back,
        before: begun,
        verdict: "peer",
        metrics: ["forward_local", "nat_in"],
      },
      {
        name: `${f}: ${name}: an answer is judged as the pod's question when rules have changed`,
        ...back,
        before: (plane) => {
          begun(plane);
          onlyAsks(plane, protocol, port);
        },
        verdict: "peer",
        metrics: ["forward_local", "nat_in", "policy_rejudged"],
      },
      {
        name: `${f}: ${name}: an answer to what is denied by now`,
        ...back,
        before: (plane) => {
          begun(plane);
          forbid(plane);
        },
        verdict: "drop",
        metrics: ["policy_rejudged", "drop_policy"],
        check: (_, __, ___, [e]) => assert.equal(e?.rule, 4),
      },
      {
        name: `${f}: ${name}: an answer whose flow was lost is judged as the pod's question`,
        ...back,
        before: (plane) => {
          begun(plane);
          plane.forget("ct_tcp", "ct_other");
        },
        verdict: "peer",
        metrics: ["forward_local", "nat_in"],
      },
      {
        name: `${f}: ${name}: an answer whose flow was lost, to what the pod may not ask`,
        ...back,
        before: (plane) => {
          begun(plane);
          plane.forget("ct_tcp", "ct_other");
          onlyAsks(plane, protocol, port ^ 1);
        },
        verdict: "drop",
        metrics: ["drop_policy"],
      },
      {
        name: `${f}: ${name}: an error of the outside about what is denied by now`,
        ...failed,
        before: (plane) => {
          begun(plane);
          forbid(plane);
        },
        verdict: "drop",
        metrics: ["icmp_related", "policy_rejudged", "drop_policy"],
        isDroppedLate: true,
      },
      {
        name: `${f}: ${name}: an error of the outside about a flow that was lost`,
        ...failed,
        before: (plane) => {
          begun(plane);
          plane.forget("ct_tcp", "ct_other");
        },
        verdict: "drop",
        metrics: ["drop_icmp_unrelated"],
        isDroppedLate: true,
      },
    ];
  }),
);

/** A service, and where the stack sends what is for it. */
const service = { v4: "10.96.0.1", v6: "fd00:96::1" } as const;

const translated: Case[] = bothFamilies.flatMap((f): Case[] => {
  const toService = frame(podA[f], service[f], udp(4000, 80));
  const toBackend = (t = udp(4000, 8080)) => frame(podA[f], outside[f], t, MACS);
  const begun = (plane: Plane) => {
    onePort(plane);
    plane.run("from_pod", toService);
    return plane.run("to_wire", toBackend());
  };
  return [
    {
      name: `${f}: what the stack has translated to the outside is judged as what it is`,
      program: "to_wire",
      before: (plane) => {
        rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { outside: [always(denied(2))] } });
        plane.run("from_pod", toService);
      },
      frame: toBackend(),
      verdict: "drop",
      metrics: ["drop_policy"],
      check: (_, __, plane, [e]) => {
        assert.equal(e?.rule, 2);
        assert.deepEqual(plane.translations(), []);
      },
    },
    {
      name: `${f}: where it is allowed it leaves, and its flow is begun`,
      program: "to_wire",
      before: (plane) => {
        onePort(plane);
        plane.run("from_pod", toService);
      },
      frame: toBackend(),
      verdict: "next",
      metrics: ["nat_out", "ct_created", "nat_created"],
      check: (out, _, plane) => {
        assert.deepEqual([out.src, out.srcPort], [node[f], PORT]);
        assert.deepEqual(new Set(plane.translations().map((t) => t.entry.flags)), new Set([NatFlag.viaStack]));
        const flow = plane.flows("ct_other").find((r) => r.key.lowPort === 8080 || r.key.highPort === 8080);
        assert.equal(flow?.entry.flags, (flow?.entry.flags ?? 0) | CtFlag.viaStack);
      },
    },
    {
      name: `${f}: its answer meets the stack again`,
      program: "from_wire",
      before: begun,
      frame: frame(outside[f], node[f], udp(8080, PORT), MACS),
      verdict: "redirect",
      to: NODE.twill0,
      metrics: ["forward_stack", "nat_in"],
      check: (out) => assert.deepEqual([out.src, out.dst, out.dstPort], [outside[f], podA[f], 4000]),
    },
    {
      name: `${f}: a translated flow that goes on leaves by its translation`,
      program: "to_wire",
      before: begun,
      frame: toBackend(),
      verdict: "next",
      metrics: ["nat_out"],
    },
    {
      name: `${f}: a translated flow that is denied by now does not`,
      program: "to_wire",
      before: (plane) => {
        begun(plane);
        rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { outside: [always(denied(2))] } });
      },
      frame: toBackend(),
      verdict: "drop",
      metrics: ["policy_rejudged", "drop_policy"],
    },
    {
      name: `${f}: what the stack has translated is judged without masquerading, too`,
      program: "to_wire",
      before: (plane) => {
        plane.putConfig({ flags: 0 });
        rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { outside: [always(denied(2))] } });
        plane.run("from_pod", toService);
      },
      frame: toBackend(),
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: what the stack has translated to another node is judged`,
      program: "to_wire",
      before: (plane) => {
        rule(plane, "podA", "egress", { rows: [always(allowed(1)), onPort(PROTO.tcp, 6443, denied(2))] });
        plane.run("from_pod", frame(podA[f], service[f], tcp(4000, 443)));
      },
      frame: frame(podA[f], remoteNode[f], tcp(4000, 6443), MACS),
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: an echo's answer that nobody asked for cannot be masqueraded`,
      program: "to_wire",
      before: (plane) => plane.run("from_pod", frame(podA[f], outside[f], echo(familyOf(f), 9, true))),
      frame: frame(podA[f], outside[f], echo(familyOf(f), 9, true), MACS),
      verdict: "drop",
      metrics: ["drop_nat_protocol"],
    },
    {
      name: `${f}: an echo to the node is not taken for an answer to a pod's`,
      program: "from_wire",
      before: (plane) => {
        plane.putConfig({ natPortMin: echoPort(f), natPortMax: echoPort(f) });
        plane.run("from_pod", frame(podA[f], outside[f], echo(familyOf(f), 4000)));
        plane.run("to_wire", frame(podA[f], outside[f], echo(familyOf(f), 4000), MACS));
      },
      frame: frame(outside[f], node[f], echo(familyOf(f), 9), MACS),
      verdict: "next",
      metrics: [],
    },
  ];
});

/** Packets of the tunnel that would take the shortcut, were it not for rules that have changed. */
const shortcut: Case[] = bothFamilies.flatMap((f): Case[] => {
  const answer = frame(remote[f], podA[f], tcp(80, 4000), { srcMac: "ee:ee:ee:ee:ee:ee" });
  const wrapped = vxlan(remoteNode.v4, node.v4, answer, {
    vni: NODE.vni,
    srcMac: NODE.remoteNodeMac,
    dstMac: NODE.wireMac,
  });
  const begun = (plane: Plane) => {
    waitForTick();
    plane.allowShortcut();
    plane.run("from_pod", frame(podA[f], remote[f], tcp(4000, 80)));
  };
  return [
    {
      name: `${f}: a packet in whose flow's rules have changed goes by the device, which asks`,
      program: "from_wire",
      before: (plane) => {
        begun(plane);
        forbid(plane);
      },
      frame: wrapped,
      verdict: "next",
      metrics: [],
      check: (_, __, plane) => {
        assert.deepEqual(plane.run("from_tunnel", answer, VIA_NODE2).metrics, ["policy_rejudged", "drop_policy"]);
      },
    },
    {
      name: `${f}: once it was judged again it takes the shortcut again`,
      program: "from_wire",
      before: (plane) => {
        begun(plane);
        onlyAsks(plane, PROTO.tcp, 80);
        plane.run("from_wire", wrapped);
        plane.run("from_tunnel", answer, VIA_NODE2);
      },
      frame: wrapped,
      verdict: "peer",
      to: podA.ifindex,
      metrics: ["forward_local", "shortcut_in"],
    },
    {
      name: `${f}: a packet out whose flow's rules have changed is judged before it takes the shortcut`,
      program: "from_pod",
      before: (plane) => {
        begun(plane);
        forbid(plane);
      },
      frame: frame(podA[f], remote[f], tcp(4000, 80)),
      verdict: "drop",
      metrics: ["policy_rejudged", "drop_policy"],
    },
  ];
});

export const POLICY_WIRE_CASES: readonly Case[] = [...masqueraded, ...translated, ...shortcut];
