/** What pods ask services for: to every kind of backend, and back. */

import assert from "node:assert/strict";
import { CtFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { withCrc } from "./crc32c.ts";
import type { Dissected } from "./dissect.ts";
import { frame, PROTO, payload, raw, TCP_FLAG, tcp, udp, vxlan } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import {
  ask,
  BACK,
  CLIENT,
  FRONT,
  flowsText,
  GATEWAY,
  KINDS,
  type Kind,
  letPodBSend,
  putService,
  SERVED,
  SERVICE,
} from "./service-way.ts";
import { waitForTick } from "./ticks.ts";
import { bothFamilies, MACS, onePort, PORT, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, router, outside } = NODE;

/** Source, destination and ports of what comes out, and SCTP's sum. */
function leads(d: Dissected, src: string, srcPort: number, dst: string, dstPort: number): void {
  assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [src, srcPort, dst, dstPort]);
  if (d.protocol === PROTO.sctp) assert.deepEqual(d.transport, withCrc(d.transport), "CRC");
}

/** The ways to a backend, and what comes from it. */
interface Way {
  readonly name: string;
  readonly backend: (f: Word) => string;
  readonly there: Pick<Case, "verdict" | "to" | "metrics">;
  readonly back: (f: Word, kind: Kind) => Pick<Case, "program" | "frame" | "metrics"> & Partial<Case>;
}

const WAYS: readonly Way[] = [
  {
    name: "a pod of the node",
    backend: (f) => podB[f],
    there: { verdict: "peer", to: podB.ifindex, metrics: ["forward_local", "ct_created", "service_forward"] },
    back: (f, kind) => ({
      program: "from_pod",
      frame: frame(podB[f], podA[f], kind.answer(BACK, CLIENT), { srcMac: podB.mac }),
      metrics: ["forward_local", "service_reply"],
    }),
  },
  {
    name: "a pod of another node",
    backend: (f) => remote[f],
    there: { verdict: "redirect", to: NODE.tunnel, metrics: ["forward_tunnel", "ct_created", "service_forward"] },
    back: (f, kind) => ({
      program: "from_tunnel",
      frame: frame(remote[f], podA[f], kind.answer(BACK, CLIENT)),
      options: { tunnel: { from: remoteNode.v4 } },
      metrics: ["forward_local", "service_reply"],
    }),
  },
  {
    name: "another node",
    backend: (f) => remoteNode[f],
    there: { verdict: "redirect", to: NODE.tunnel, metrics: ["forward_tunnel", "ct_created", "service_forward"] },
    back: (f, kind) => ({
      program: "from_tunnel",
      frame: frame(remoteNode[f], podA[f], kind.answer(BACK, CLIENT)),
      options: { tunnel: { from: remoteNode.v4 } },
      metrics: ["forward_local", "service_reply"],
    }),
  },
  {
    name: "the node itself",
    backend: (f) => node[f],
    there: { verdict: "redirect", to: NODE.twill0, metrics: ["forward_stack", "ct_created", "service_forward"] },
    back: (f, kind) => ({
      program: "from_host",
      frame: frame(node[f], podA[f], kind.answer(BACK, CLIENT), { srcMac: GATEWAY }),
      metrics: ["forward_local", "service_reply"],
    }),
  },
  {
    name: "somebody outside",
    backend: (f) => outside[f],
    there: { verdict: "redirect", to: NODE.twill0, metrics: ["forward_stack", "ct_created", "service_forward"] },
    back: (f, kind) => {
      const port = kind.name === "SCTP" ? CLIENT : PORT;
      return {
        program: "from_wire",
        frame: frame(outside[f], node[f], kind.answer(BACK, port), MACS),
        metrics: ["forward_local", "nat_in", "service_reply"],
      };
    },
  },
];

const ways: Case[] = bothFamilies.flatMap((f) =>
  KINDS.flatMap((kind) =>
    WAYS.flatMap((way): Case[] => {
      const backend = way.backend(f);
      const asks = (plane: Plane) => {
        onePort(plane);
        putService(plane, { addr: SERVICE[f], inside: [{ addr: backend }] });
        ask(plane, f, kind.ask(CLIENT, FRONT));
        if (backend !== outside[f]) return;
        plane.putConfig({ flags: SERVED, natPortMin: PORT, natPortMax: PORT });
        plane.run("to_wire", frame(podA[f], backend, kind.ask(CLIENT, BACK), MACS));
      };
      return [
        {
          name: `${f}: ${kind.name} to a service behind which is ${way.name}`,
          program: "from_pod",
          before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: backend }] }),
          frame: frame(podA[f], SERVICE[f], kind.ask(CLIENT, FRONT)),
          ...way.there,
          check: (d, _, plane) => {
            leads(d, podA[f], CLIENT, backend, BACK);
            assert.deepEqual(
              flowsText(plane),
              [
                `${podA[f]} ${CLIENT} > ${SERVICE[f]} ${FRONT} => ${podA[f]} ${CLIENT} > ${backend} ${BACK}`,
                `${backend} ${BACK} > ${podA[f]} ${CLIENT} => ${SERVICE[f]} ${FRONT} > ${podA[f]} ${CLIENT} back`,
              ].sort(),
            );
            const flows = plane.flows(kind.flows);
            assert.equal(flows.length, 1);
            assert.notEqual((flows[0]?.entry.flags ?? 0) & CtFlag.service, 0);
          },
        },
        {
          name: `${f}: ${kind.name} goes on to ${way.name}`,
          program: "from_pod",
          before: asks,
          frame: frame(podA[f], SERVICE[f], kind.ask(CLIENT, FRONT)),
          ...way.there,
          metrics: way.there.metrics.filter((m) => m !== "ct_created"),
          check: (d, _, plane) => {
            leads(d, podA[f], CLIENT, backend, BACK);
            assert.equal(plane.serviceFlows().length, 2);
          },
        },
        {
          name: `${f}: ${kind.name} of ${way.name} comes from the service`,
          verdict: "peer",
          to: podA.ifindex,
          ...way.back(f, kind),
          before: (plane) => {
            asks(plane);
            if (backend === podB[f]) letPodBSend(plane, f);
          },
          check: (d, _, plane) => {
            leads(d, SERVICE[f], FRONT, podA[f], CLIENT);
            assert.equal(d.dstMac, podA.mac);
            assert.notEqual(plane.flows(kind.flows)[0]?.entry.replySeen, 0, "the flow saw the answer");
          },
        },
      ];
    }),
  ),
);

const hairpin: Case[] = bothFamilies.flatMap((f) =>
  KINDS.flatMap((kind): Case[] => [
    {
      name: `${f}: ${kind.name} of a pod that is its own backend comes from the gateway`,
      program: "from_pod",
      before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }] }),
      frame: frame(podA[f], SERVICE[f], kind.ask(CLIENT, FRONT)),
      verdict: "peer",
      to: podA.ifindex,
      metrics: ["forward_local", "ct_created", "service_forward"],
      check: (d) => leads(d, router[f], CLIENT, podA[f], BACK),
    },
    {
      name: `${f}: ${kind.name} that such a pod answers comes from the service`,
      program: "from_pod",
      before: (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }] });
        ask(plane, f, kind.ask(CLIENT, FRONT));
      },
      frame: frame(podA[f], router[f], kind.answer(BACK, CLIENT)),
      verdict: "peer",
      to: podA.ifindex,
      metrics: ["forward_local", "service_reply"],
      check: (d) => leads(d, SERVICE[f], FRONT, podA[f], CLIENT),
    },
    {
      name: `${f}: ${kind.name} of such a pod with a port that is taken gets another one`,
      program: "from_pod",
      before: (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }] });
        ask(plane, f, kind.ask(CLIENT, FRONT));
        putService(plane, { addr: SERVICE[f], port: 81, inside: [{ addr: podA[f] }] });
        plane.putConfig({ flags: SERVED, natPortMin: PORT, natPortMax: PORT });
      },
      frame: frame(podA[f], SERVICE[f], kind.ask(CLIENT, 81)),
      verdict: "peer",
      metrics: ["forward_local", "ct_created", "service_forward"],
      check: (d) => leads(d, router[f], PORT, podA[f], BACK),
    },
  ]),
);

const first = { id: 99, offset: 0, more: true } as const;
const later = { id: 99, offset: 4, more: false } as const;

const parts: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: a first fragment goes to the backend by its port`,
    program: "from_pod",
    before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] }),
    frame: frame(podA[f], SERVICE[f], udp(CLIENT, FRONT, payload(24)), { fragment: first }),
    verdict: "peer",
    metrics: ["forward_local", "ct_created", "fragment", "service_forward"],
    check: (d) => leads(d, podA[f], CLIENT, podB[f], BACK),
  },
  {
    name: `${f}: a later fragment follows the first one`,
    program: "from_pod",
    before: (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      ask(plane, f, udp(CLIENT, FRONT, payload(24)), SERVICE[f], { fragment: first });
    },
    frame: frame(podA[f], SERVICE[f], raw(PROTO.udp, payload(24)), { fragment: later }),
    verdict: "peer",
    metrics: ["forward_local", "fragment", "service_forward"],
    check: (d) => {
      assert.equal(d.dst, podB[f]);
      assert.deepEqual(d.transport, payload(24));
    },
  },
  {
    name: `${f}: a later fragment of an answer comes from the service`,
    program: "from_pod",
    before: (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      ask(plane, f, udp(CLIENT, FRONT));
      letPodBSend(plane, f);
      const answer = udp(BACK, CLIENT, payload(24));
      plane.run("from_pod", frame(podB[f], podA[f], answer, { srcMac: podB.mac, fragment: first }));
    },
    frame: frame(podB[f], podA[f], raw(PROTO.udp, payload(24)), { srcMac: podB.mac, fragment: later }),
    verdict: "peer",
    metrics: ["forward_local", "fragment", "service_reply"],
    check: (d) => {
      assert.equal(d.src, SERVICE[f]);
      assert.deepEqual(d.transport, payload(24));
    },
  },
  {
    name: `${f}: SCTP in parts to another port cannot be summed up`,
    program: "from_pod",
    before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] }),
    frame: frame(podA[f], SERVICE[f], KINDS[2]?.ask(CLIENT, FRONT) ?? udp(1, 2), { fragment: first }),
    verdict: "drop",
    metrics: ["fragment", "service_forward", "drop_rewrite"],
  },
  {
    name: `${f}: UDP without a checksum stays without`,
    program: "from_pod",
    before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] }),
    frame: frame(podA[f], SERVICE[f], udp(CLIENT, FRONT, payload(8), false)),
    verdict: "peer",
    metrics: ["forward_local", "ct_created", "service_forward"],
    check: (d) => {
      leads(d, podA[f], CLIENT, podB[f], BACK);
      assert.deepEqual([d.transport[6], d.transport[7]], [0, 0]);
    },
  },
]);

/** Pods whose bandwidth is limited. */
const shaped: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: a limited backend is reached through the queue of its pair`,
    program: "from_pod",
    before: (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podC[f] }] }),
    frame: frame(podA[f], SERVICE[f], udp(CLIENT, FRONT)),
    verdict: "redirect",
    to: podC.ifindex,
    metrics: ["forward_local", "ct_created", "service_forward"],
    check: (d) => leads(d, podA[f], CLIENT, podC[f], BACK),
  },
  {
    name: `${f}: what answers a limited pod goes through the queue of its pair, too`,
    program: "from_pod",
    before: (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      plane.putEndpoint(podA[f], { ...podA, flags: 1 });
      plane.run("from_pod", frame(podA[f], SERVICE[f], udp(CLIENT, FRONT)));
      letPodBSend(plane, f);
    },
    frame: frame(podB[f], podA[f], udp(BACK, CLIENT), { srcMac: podB.mac }),
    verdict: "redirect",
    to: podA.ifindex,
    metrics: ["forward_local", "service_reply"],
    check: (d) => leads(d, SERVICE[f], FRONT, podA[f], CLIENT),
  },
]);

/** Past the tunnel's device. */
const shortcuts: Case[] = bothFamilies.flatMap((f): Case[] => {
  const known = (plane: Plane) => {
    waitForTick();
    putService(plane, { addr: SERVICE[f], inside: [{ addr: remote[f] }] });
    plane.putConfig({ flags: SERVED & ~4 });
    ask(plane, f, tcp(CLIENT, FRONT, { flags: TCP_FLAG.syn }));
  };
  return [
    {
      name: `${f}: a known flow is encapsulated at once, translated`,
      program: "from_pod",
      before: known,
      frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT)),
      verdict: "redirect",
      to: NODE.wire,
      metrics: ["forward_tunnel", "shortcut_out", "service_forward"],
    },
    {
      name: `${f}: what answers past the device comes from the service`,
      program: "from_wire",
      before: known,
      frame: vxlan(remoteNode.v4, node.v4, frame(remote[f], podA[f], tcp(BACK, CLIENT)), {
        vni: NODE.vni,
        ...MACS,
      }),
      verdict: "peer",
      to: podA.ifindex,
      metrics: ["forward_local", "shortcut_in", "service_reply"],
      check: (d) => leads(d, SERVICE[f], FRONT, podA[f], CLIENT),
    },
  ];
});

export const SERVICE_CASES: readonly Case[] = [...ways, ...hairpin, ...parts, ...shaped, ...shortcuts];
