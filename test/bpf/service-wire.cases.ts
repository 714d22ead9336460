/** What comes from the wire for a service: to every kind of backend, and what answers, out again. */

import assert from "node:assert/strict";
import { ConfigFlag, encodeServiceSource, encodeServiceSourceKey, ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import { mappedLength, prefix } from "../../src/net/prefix.ts";
import type { Case } from "./case.ts";
import { withCrc } from "./crc32c.ts";
import type { Dissected } from "./dissect.ts";
import { frame, PROTO, TCP_FLAG, tcp, udp, vxlan } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import {
  BACK,
  BALANCER,
  CLIENT,
  FROM_WIRE,
  FRONT,
  flowsText,
  GATEWAY,
  KINDS,
  type Kind,
  NODE_PORT,
  NUMBER,
  putService,
  SERVED,
  SERVICE,
} from "./service-way.ts";
import { asking, CREATED, comes, ignored, MARK_SERVED, nodePort, OUTSIDE } from "./service-wire-way.ts";
import { waitForTick } from "./ticks.ts";
import { bothFamilies, MACS, PORT, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, router, outside } = NODE;
const { syn, ack, rst } = TCP_FLAG;

function leads(d: Dissected, src: string, srcPort: number, dst: string, dstPort: number): void {
  assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [src, srcPort, dst, dstPort]);
  if (d.protocol === PROTO.sctp) assert.deepEqual(d.transport, withCrc(d.transport), "CRC");
}

/** A backend that is reached from the wire: the way there, and the answer's. `as` is whom it sees. */
interface Way {
  readonly name: string;
  readonly backend: (f: Word) => string;
  readonly as: (f: Word) => readonly [string, number];
  readonly there: Pick<Case, "verdict" | "metrics"> & Partial<Case>;
  readonly ttl: number;
  readonly back: (f: Word, kind: Kind) => Pick<Case, "program" | "frame" | "verdict"> & Partial<Case>;
}

const WAYS: readonly Way[] = [
  {
    name: "a pod of the node",
    backend: (f) => podA[f],
    as: (f) => [outside[f], CLIENT],
    there: { verdict: "peer", to: podA.ifindex, metrics: ["forward_local", ...CREATED] },
    ttl: 63,
    back: (f, kind) => ({
      program: "from_pod",
      frame: frame(podA[f], outside[f], kind.answer(BACK, CLIENT)),
      verdict: "neighbour",
      to: NODE.wire,
    }),
  },
  {
    name: "a pod of another node",
    backend: (f) => remote[f],
    as: (f) => [node[f], PORT],
    there: { verdict: "redirect", to: NODE.tunnel, metrics: ["forward_tunnel", ...CREATED] },
    ttl: 63,
    back: (f, kind) => ({
      program: "from_tunnel",
      frame: frame(remote[f], node[f], kind.answer(BACK, PORT)),
      options: { tunnel: { from: remoteNode.v4 } },
      verdict: "neighbour",
      to: NODE.wire,
    }),
  },
  {
    name: "the node itself",
    backend: (f) => node[f],
    as: (f) => [outside[f], CLIENT],
    there: { verdict: "next", metrics: CREATED },
    ttl: 64,
    back: (f, kind) => ({
      program: "to_wire",
      frame: frame(node[f], outside[f], kind.answer(BACK, CLIENT), MACS),
      verdict: "next",
    }),
  },
  {
    name: "another node",
    backend: (f) => remoteNode[f],
    as: (f) => [node[f], PORT],
    there: { verdict: "neighbour", to: NODE.wire, metrics: CREATED },
    ttl: 63,
    back: (f, kind) => ({
      program: "from_wire",
      frame: frame(remoteNode[f], node[f], kind.answer(BACK, PORT), FROM_WIRE),
      verdict: "neighbour",
      to: NODE.wire,
    }),
  },
];

const ways: Case[] = bothFamilies.flatMap((f) =>
  KINDS.flatMap((kind) =>
    WAYS.flatMap((way): Case[] => {
      const backend = way.backend(f);
      const [src, srcPort] = way.as(f);
      const question = asking(f, kind.ask(CLIENT, NODE_PORT));
      const asks = (plane: Plane) => {
        nodePort(plane, f, [backend]);
        plane.run("from_wire", question);
      };
      return [
        {
          name: `${f}: ${kind.name} to a node port behind which is ${way.name}`,
          program: "from_wire",
          before: (plane) => nodePort(plane, f, [backend]),
          frame: question,
          ...way.there,
          check: (d, ran, plane) => {
            leads(d, src, srcPort, backend, BACK);
            assert.equal(d.ttl, way.ttl);
            assert.equal(ran.mark, way.there.verdict === "neighbour" ? MARK_SERVED : 0);
            assert.deepEqual(
              flowsText(plane),
              [
                `${outside[f]} ${CLIENT} > ${node[f]} ${NODE_PORT} => ${src} ${srcPort} > ${backend} ${BACK}`,
                `${backend} ${BACK} > ${src} ${srcPort} => ${node[f]} ${NODE_PORT} > ${outside[f]} ${CLIENT} back`,
              ].sort(),
            );
          },
        },
        {
          name: `${f}: ${kind.name} from the wire goes on to ${way.name}`,
          program: "from_wire",
          before: asks,
          frame: question,
          ...way.there,
          metrics: way.there.metrics.filter((m) => m !== "ct_created"),
          check: (d) => leads(d, src, srcPort, backend, BACK),
        },
        {
          name: `${f}: ${kind.name} of ${way.name} leaves as the node port's`,
          metrics: ["service_reply"],
          ...way.back(f, kind),
          before: asks,
          check: (d, ran, plane) => {
            leads(d, node[f], NODE_PORT, outside[f], CLIENT);
            assert.equal(d.ttl, way.ttl);
            assert.equal(ran.mark, way.there.verdict === "next" ? 0 : MARK_SERVED);
            assert.notEqual(plane.flows(kind.flows)[0]?.entry.replySeen, 0, "the flow saw the answer");
          },
        },
      ];
    }),
  ),
);

const balancer = (plane: Plane, f: Word, flags: number, backends: readonly string[] = [podA[f]]) => {
  putService(plane, { addr: BALANCER[f], flags, outside: backends.map((a) => ({ addr: a })) });
};

function allowSource(plane: Plane, cidr: string): void {
  const p = prefix(cidr);
  plane.put(
    "service_sources",
    encodeServiceSourceKey({ prefixBits: 32 + mappedLength(p), service: NUMBER, addr: p.addr.bytes }),
    encodeServiceSource({ isAllowed: 1 }),
  );
}

const toBalancer = (f: Word) => frame(outside[f], BALANCER[f], tcp(CLIENT, FRONT, { flags: syn }), FROM_WIRE);

const frontends: Case[] = bothFamilies.flatMap((f): Case[] => [
  comes(f, "a load balancer's address", {
    before: (plane) => balancer(plane, f, OUTSIDE),
    frame: toBalancer(f),
    check: (d) => leads(d, outside[f], CLIENT, podA[f], BACK),
  }),
  comes(f, "from who may ask", {
    before: (plane) => {
      balancer(plane, f, OUTSIDE | ServiceFlag.sources);
      allowSource(plane, f === "v4" ? "198.51.100.0/24" : "2001:db8:51::/48");
    },
    frame: toBalancer(f),
  }),
  comes(f, "from who may not ask", {
    before: (plane) => {
      balancer(plane, f, OUTSIDE | ServiceFlag.sources);
      allowSource(plane, f === "v4" ? "198.51.101.0/24" : "2001:db8:52::/48");
    },
    frame: toBalancer(f),
    verdict: "drop",
    metrics: ["drop_service_source"],
  }),
  comes(f, "without a backend a connection is reset at once", {
    before: (plane) => balancer(plane, f, OUTSIDE, []),
    frame: toBalancer(f),
    verdict: "redirect",
    to: 1,
    metrics: ["rejected", "drop_no_backend"],
    check: (d, ran) => {
      leads(d, BALANCER[f], FRONT, outside[f], CLIENT);
      assert.equal(d.transport[13], rst | ack);
      assert.deepEqual([d.dstMac, d.srcMac, ran.mark], [FROM_WIRE.srcMac, FROM_WIRE.dstMac, MARK_SERVED]);
    },
  }),
  comes(f, "without a backend a datagram finds no port", {
    before: (plane) => balancer(plane, f, OUTSIDE, []),
    frame: frame(outside[f], BALANCER[f], udp(CLIENT, FRONT), FROM_WIRE),
    verdict: "redirect",
    to: 1,
    metrics: ["rejected", "drop_no_backend"],
    check: (d) => {
      assert.deepEqual([d.src, d.dst], [BALANCER[f], outside[f]]);
      assert.deepEqual([...d.transport.slice(0, 2)], f === "v4" ? [3, 3] : [1, 4]);
    },
  }),
  comes(f, "without a backend of this node what is local to it is silent", {
    before: (plane) => balancer(plane, f, OUTSIDE | ServiceFlag.outsideLocal, []),
    frame: toBalancer(f),
    verdict: "drop",
    metrics: ["drop_service_local"],
  }),
  ignored(f, "the cluster's address of a service is no business of the wire's", {
    before: (plane) =>
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podA[f] }], outside: [{ addr: podA[f] }] }),
    frame: frame(outside[f], SERVICE[f], tcp(CLIENT, FRONT, { flags: syn }), FROM_WIRE),
  }),
  ignored(f, "another port of the node", { frame: asking(f, tcp(CLIENT, 22, { flags: syn })) }),
  ignored(f, "a node port of somebody else", {
    frame: frame(outside[f], f === "v4" ? "192.168.77.50" : "fd00:77::50", tcp(CLIENT, NODE_PORT), FROM_WIRE),
  }),
  ignored(f, "a node port of the loopback's", {
    frame: frame(outside[f], f === "v4" ? "127.0.0.1" : "::1", tcp(CLIENT, NODE_PORT), FROM_WIRE),
  }),
  ignored(f, "a frame for somebody else", {
    frame: asking(f, tcp(CLIENT, NODE_PORT), { dstMac: "02:00:00:00:00:99" }),
  }),
  ignored(f, "where there are no services", {
    before: (plane) => {
      nodePort(plane, f, [podA[f]]);
      plane.putConfig();
    },
  }),
  ...[
    podB[f],
    remote[f],
    node[f],
    ...(f === "v4" ? ["127.0.0.1", "0.0.0.0", "240.0.0.1"] : ["fe80::7", "::1", "ff02::1"]),
  ].map((source) =>
    ignored(f, `the source ${source}, which cannot come from there`, {
      frame: frame(source, node[f], tcp(CLIENT, NODE_PORT, { flags: syn }), FROM_WIRE),
    }),
  ),
  ignored(f, "what pretends to be of a pod's flow", {
    before: (plane) => {
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      plane.run("from_pod", frame(podA[f], SERVICE[f], udp(CLIENT, FRONT)));
    },
    frame: frame(podA[f], SERVICE[f], udp(CLIENT, FRONT), FROM_WIRE),
    check: () => {},
  }),
  ignored(f, "what pretends to be a pod's answer", {
    before: (plane) => {
      nodePort(plane, f, [remote[f]]);
      plane.run("from_wire", asking(f, udp(CLIENT, NODE_PORT)));
    },
    frame: frame(remote[f], node[f], udp(BACK, PORT), FROM_WIRE),
    check: () => {},
  }),
  comes(f, "a node port at another address of the node", {
    frame: frame(outside[f], NODE.second[f], tcp(CLIENT, NODE_PORT, { flags: syn }), FROM_WIRE),
  }),
  {
    name: `${f}: what answers from there comes from there`,
    program: "from_pod",
    before: (plane) => {
      nodePort(plane, f, [podA[f]]);
      plane.run("from_wire", frame(outside[f], NODE.second[f], tcp(CLIENT, NODE_PORT, { flags: syn }), FROM_WIRE));
    },
    frame: frame(podA[f], outside[f], tcp(BACK, CLIENT, { flags: syn | ack })),
    verdict: "neighbour",
    to: NODE.wire,
    metrics: ["service_reply"],
    check: (d) => leads(d, NODE.second[f], NODE_PORT, outside[f], CLIENT),
  },
  comes(f, "another node's processes may ask", {
    frame: frame(remoteNode[f], node[f], tcp(CLIENT, NODE_PORT, { flags: syn }), FROM_WIRE),
  }),
  comes(f, "on its last hop", {
    frame: asking(f, tcp(CLIENT, NODE_PORT, { flags: syn }), { ttl: 1 }),
    verdict: "drop",
    metrics: ["drop_ttl"],
  }),
  comes(f, "without a port left for who is translated to the node", {
    before: (plane) => {
      nodePort(plane, f, [remote[f]]);
      plane.run("from_wire", asking(f, tcp(CLIENT + 1, NODE_PORT, { flags: syn })));
    },
    verdict: "drop",
    metrics: ["drop_service_clash"],
  }),
  comes(f, "another node's tunnel as a backend would get this node's own tunnel packet", {
    before: (plane) =>
      putService(plane, { addr: BALANCER[f], flags: OUTSIDE, outside: [{ addr: remoteNode[f], port: 8472 }] }),
    frame: frame(outside[f], BALANCER[f], udp(CLIENT, FRONT), FROM_WIRE),
    verdict: "drop",
    metrics: ["drop_tunnel_spoofed"],
  }),
  {
    name: `${f}: a port that such a flow has is not given to a masqueraded one`,
    program: "to_wire",
    before: (plane) => {
      nodePort(plane, f, [outside[f]]);
      plane.run("from_wire", frame(remoteNode[f], node[f], tcp(CLIENT, NODE_PORT, { flags: syn }), FROM_WIRE));
      plane.run("from_pod", frame(podA[f], outside[f], tcp(CLIENT, BACK, { flags: syn })));
    },
    frame: frame(podA[f], outside[f], tcp(CLIENT, BACK, { flags: syn }), MACS),
    verdict: "drop",
    metrics: ["nat_collision", "drop_nat_no_port"],
  },
  comes(f, "a limited pod is reached through the queue of its pair", {
    before: (plane) => nodePort(plane, f, [podC[f]]),
    verdict: "redirect",
    to: podC.ifindex,
    metrics: ["forward_local", ...CREATED],
  }),
]);

/** Past the tunnel's device, in both directions. */
const shortcuts: Case[] = bothFamilies.flatMap((f): Case[] => {
  const known = (plane: Plane) => {
    waitForTick();
    nodePort(plane, f, [remote[f]], 0, SERVED & ~ConfigFlag.noShortcut);
    plane.run("from_wire", asking(f, tcp(CLIENT, NODE_PORT, { flags: syn })));
    // The first answer is left to the device, and comes out of it; so the flow is judged.
    const answer = frame(remote[f], node[f], tcp(BACK, PORT, { flags: syn | ack }));
    plane.run("from_wire", vxlan(remoteNode.v4, node.v4, answer, { vni: NODE.vni, ...MACS }));
    plane.run("from_tunnel", answer, { tunnel: { from: remoteNode.v4 } });
  };
  return [
    comes(f, "a known flow is encapsulated at once", {
      before: known,
      frame: asking(f, tcp(CLIENT, NODE_PORT)),
      verdict: "redirect",
      to: NODE.wire,
      metrics: ["forward_tunnel", "shortcut_out", "service_forward"],
    }),
    comes(f, "what answers past the device leaves as the node port's", {
      before: known,
      frame: vxlan(remoteNode.v4, node.v4, frame(remote[f], node[f], tcp(BACK, PORT)), { vni: NODE.vni, ...MACS }),
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["shortcut_in", "service_reply"],
      check: (d) => leads(d, node[f], NODE_PORT, outside[f], CLIENT),
    }),
  ];
});

/** Between router and node nothing else changes. */
const unchanged: Case[] = bothFamilies.map((f) =>
  ignored(f, "the gateway's address as a source", {
    frame: frame(router[f], node[f], tcp(CLIENT, NODE_PORT), { ...FROM_WIRE, srcMac: GATEWAY }),
  }),
);

export const SERVICE_WIRE_CASES: readonly Case[] = [...ways, ...frontends, ...shortcuts, ...unchanged];
