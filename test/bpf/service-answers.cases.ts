/** What becomes of questions to services that nobody is behind or policy denies, and of ICMP errors about them. */

import assert from "node:assert/strict";
import { ConfigFlag, ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { dissect } from "./dissect.ts";
import { frame, icmpError, ipPacket, payload, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { allowed, always, denied, onPort, rule } from "./policy-way.ts";
import {
  ask,
  asks,
  BACK,
  CLIENT,
  FRONT,
  flowsText,
  KINDS,
  letPodBSend,
  putService,
  SERVED,
  SERVICE,
  SYN,
} from "./service-way.ts";
import { bothFamilies, familyOf, MACS, PORT } from "./wire-way.ts";

const { podA, podB, remote, remoteNode, node, router, outside } = NODE;
const { syn, ack, rst } = TCP_FLAG;

const nobody: Case[] = bothFamilies.flatMap((f): Case[] => [
  asks(
    f,
    "a connection to a service without a backend is reset at once",
    (plane) => putService(plane, { addr: SERVICE[f] }),
    {
      verdict: "redirect",
      to: podA.ifindex,
      metrics: ["rejected", "drop_no_backend"],
      check: (d) =>
        assert.deepEqual(
          [d.src, d.srcPort, d.dst, d.dstPort, d.transport[13]],
          [SERVICE[f], FRONT, podA[f], CLIENT, rst | ack],
        ),
    },
  ),
  ...KINDS.slice(1).map((kind) =>
    asks(
      f,
      `${kind.name} to a service without a backend finds no port`,
      (plane) => putService(plane, { addr: SERVICE[f] }),
      {
        frame: frame(podA[f], SERVICE[f], kind.ask(CLIENT, FRONT)),
        verdict: "redirect",
        to: podA.ifindex,
        metrics: ["rejected", "drop_no_backend"],
        check: (d) => {
          assert.deepEqual([d.src, d.dst], [router[f], podA[f]]);
          assert.deepEqual([...d.transport.slice(0, 2)], f === "v4" ? [3, 3] : [1, 4]);
          const quoted = ipPacket(podA[f], SERVICE[f], kind.ask(CLIENT, FRONT));
          assert.deepEqual(d.transport.slice(8), quoted.slice(0, quoted.length & ~3));
        },
      },
    ),
  ),
  asks(
    f,
    "a reset to a service without a backend is not answered",
    (plane) => putService(plane, { addr: SERVICE[f] }),
    {
      frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT, { flags: rst })),
      verdict: "drop",
      metrics: ["drop_no_backend"],
    },
  ),
  asks(
    f,
    "without a backend of this node a service that is local to it is silent",
    (plane) => putService(plane, { addr: SERVICE[f], flags: ServiceFlag.insideLocal }),
    {
      verdict: "drop",
      metrics: ["drop_service_local"],
    },
  ),
]);

const REJECTING = SERVED | ConfigFlag.reject;

const policy: Case[] = bothFamilies.flatMap((f): Case[] => [
  asks(f, "policy is asked about the backend, by its port", (plane) => {
    putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
    rule(plane, "podB", "ingress", { rows: [onPort(6, BACK, allowed(1))] });
  }),
  asks(
    f,
    "what policy denies leaves nothing behind",
    (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      rule(plane, "podB", "ingress", { rows: [always(denied(1))] });
    },
    {
      verdict: "drop",
      metrics: ["drop_policy"],
      check: (_, __, plane) => assert.deepEqual([flowsText(plane), plane.flows()], [[], []]),
    },
  ),
  asks(
    f,
    "what policy denies is answered by the service",
    (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      rule(plane, "podB", "ingress", { rows: [always(denied(1))] });
      plane.putConfig({ flags: REJECTING });
    },
    {
      verdict: "redirect",
      to: podA.ifindex,
      metrics: ["rejected", "drop_policy"],
      check: (d) => assert.deepEqual([d.src, d.srcPort, d.transport[13]], [SERVICE[f], FRONT, rst | ack]),
    },
  ),
  asks(f, "nobody forbids a pod to be its own backend", (plane) => {
    putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }] });
    rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
    rule(plane, "podA", "egress", { rows: [always(denied(2))] });
  }),
  asks(
    f,
    "nor when policy has changed since",
    (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }] });
      ask(plane, f, SYN);
      rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
      rule(plane, "podA", "egress", { rows: [always(denied(2))] });
    },
    {
      frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT)),
      metrics: ["forward_local", "policy_rejudged", "service_forward"],
    },
  ),
  asks(
    f,
    "a spoofed source begins nothing",
    (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] }),
    {
      frame: frame(outside[f], SERVICE[f], SYN),
      verdict: "drop",
      metrics: ["drop_source_spoofed"],
      check: (_, __, plane) => assert.deepEqual(flowsText(plane), []),
    },
  ),
  asks(
    f,
    "a backend whose pod is gone leaves nothing behind",
    (plane) =>
      putService(plane, { addr: SERVICE[f], inside: [{ addr: f === "v4" ? "10.244.1.99" : "fd00:10:244:1::99" }] }),
    {
      verdict: "drop",
      isDroppedLate: true,
      metrics: ["service_forward", "drop_no_endpoint"],
      check: (_, __, plane) => assert.deepEqual(flowsText(plane), []),
    },
  ),
]);

/** The packet inside an ICMP error. */
const inside = (bytes: Uint8Array) => {
  const inner = dissect(bytes).transport.slice(8);
  return dissect(new Uint8Array([...new Uint8Array(14), ...inner]));
};

const errors: Case[] = bothFamilies.flatMap((f) =>
  [tcp(BACK, CLIENT), udp(BACK, CLIENT)].flatMap((answer): Case[] => {
    const family = familyOf(f);
    const isTcp = answer.protocol === 6;
    const question = (port: number) => (isTcp ? tcp(CLIENT, port, { flags: syn }) : udp(CLIENT, port));
    const name = isTcp ? "TCP" : "UDP";
    const fromService = isTcp ? tcp(FRONT, CLIENT) : udp(FRONT, CLIENT);
    const begun = (plane: Plane, backend: string) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: backend }] });
      ask(plane, f, question(FRONT));
      letPodBSend(plane, f);
    };
    const metrics = ["forward_local", "icmp_related"];
    return [
      {
        name: `${f}: an ICMP error of the backend about ${name} comes from the service, about what the client sent`,
        program: "from_pod",
        before: (plane) => begun(plane, podB[f]),
        frame: frame(podB[f], podA[f], icmpError(family, ipPacket(podA[f], podB[f], question(BACK))), {
          srcMac: podB.mac,
        }),
        verdict: "peer",
        to: podA.ifindex,
        metrics: [...metrics, "service_reply"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [SERVICE[f], podA[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.src, q.srcPort, q.dst, q.dstPort, q.wrongSums], [podA[f], CLIENT, SERVICE[f], FRONT, []]);
        },
      },
      {
        name: `${f}: an ICMP error of the client about ${name} reaches the backend, about what that sent`,
        program: "from_pod",
        before: (plane) => begun(plane, remote[f]),
        frame: frame(podA[f], SERVICE[f], icmpError(family, ipPacket(SERVICE[f], podA[f], fromService))),
        verdict: "redirect",
        to: NODE.tunnel,
        metrics: ["forward_tunnel", "icmp_related", "service_forward"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [podA[f], remote[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.src, q.srcPort, q.dst, q.dstPort, q.wrongSums], [remote[f], BACK, podA[f], CLIENT, []]);
        },
      },
      {
        name: `${f}: an ICMP error of the client's about somebody else's ${name}`,
        program: "from_pod",
        before: (plane) => begun(plane, remote[f]),
        frame: frame(podB[f], SERVICE[f], icmpError(family, ipPacket(SERVICE[f], podA[f], fromService)), {
          srcMac: podB.mac,
        }),
        verdict: "drop",
        metrics: ["drop_icmp_unrelated"],
      },
      {
        name: `${f}: an ICMP error of the other node about ${name} comes from the service`,
        program: "from_tunnel",
        before: (plane) => begun(plane, remote[f]),
        frame: frame(remoteNode[f], podA[f], icmpError(family, ipPacket(podA[f], remote[f], question(BACK)))),
        options: { tunnel: { from: remoteNode.v4 } },
        verdict: "peer",
        to: podA.ifindex,
        metrics: [...metrics, "service_reply"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [SERVICE[f], podA[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.dst, q.dstPort, q.wrongSums], [SERVICE[f], FRONT, []]);
        },
      },
      {
        name: `${f}: an ICMP error of the node itself about ${name} comes from the service`,
        program: "from_host",
        before: (plane) => begun(plane, node[f]),
        frame: frame(node[f], podA[f], icmpError(family, ipPacket(podA[f], node[f], question(BACK)))),
        verdict: "peer",
        to: podA.ifindex,
        metrics: [...metrics, "service_reply"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [SERVICE[f], podA[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.dst, q.dstPort, q.wrongSums], [SERVICE[f], FRONT, []]);
        },
      },
      {
        name: `${f}: an ICMP error on the way to a backend outside about ${name} comes from the service`,
        program: "from_wire",
        before: (plane) => {
          begun(plane, outside[f]);
          plane.putConfig({ flags: SERVED, natPortMin: PORT, natPortMax: PORT });
          plane.run("to_wire", frame(podA[f], outside[f], question(BACK), MACS));
        },
        frame: frame(
          remoteNode[f],
          node[f],
          icmpError(family, ipPacket(node[f], outside[f], isTcp ? tcp(PORT, BACK, { flags: syn }) : udp(PORT, BACK))),
          MACS,
        ),
        verdict: "peer",
        to: podA.ifindex,
        metrics: ["forward_local", "nat_in", "icmp_related", "service_reply"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [SERVICE[f], podA[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.src, q.srcPort, q.dst, q.dstPort, q.wrongSums], [podA[f], CLIENT, SERVICE[f], FRONT, []]);
        },
      },
      {
        name: `${f}: an ICMP error of a pod that is its own backend about ${name} reaches it`,
        program: "from_pod",
        before: (plane) => begun(plane, podA[f]),
        frame: frame(podA[f], router[f], icmpError(family, ipPacket(router[f], podA[f], question(BACK)))),
        verdict: "peer",
        metrics: [...metrics, "service_reply"],
        check: (d, ran) => {
          assert.deepEqual([d.src, d.dst], [SERVICE[f], podA[f]]);
          const q = inside(ran.frame);
          assert.deepEqual([q.src, q.srcPort, q.dst, q.dstPort, q.wrongSums], [podA[f], CLIENT, SERVICE[f], FRONT, []]);
        },
      },
    ];
  }),
);

/** The last words of a quotation that is cut short have no checksum to follow. */
const cut: Case[] = bothFamilies.map((f) => ({
  name: `${f}: an ICMP error that quotes little`,
  program: "from_pod",
  before: (plane: Plane) => {
    putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
    ask(plane, f, SYN);
    letPodBSend(plane, f);
  },
  frame: frame(
    podB[f],
    podA[f],
    icmpError(familyOf(f), ipPacket(podA[f], podB[f], tcp(CLIENT, BACK, { data: payload(40) })), f === "v4" ? 28 : 48),
    { srcMac: podB.mac },
  ),
  verdict: "peer",
  metrics: ["forward_local", "icmp_related", "service_reply"],
}));

export const SERVICE_ANSWER_CASES: readonly Case[] = [...nobody, ...policy, ...errors, ...cut];
