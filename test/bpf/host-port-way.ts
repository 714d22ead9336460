/** Who asks for a port of the node that leads to a pod, how the packets come by, and what is said of each way. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { encodeBackend, encodeServiceKey } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { withCrc } from "./crc32c.ts";
import type { Dissected } from "./dissect.ts";
import { frame, PROTO, TCP_FLAG, type Transport, tcp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { BACK, CLIENT, FROM_WIRE, flowsText, type Kind, letPodBSend, NODE_PORT } from "./service-way.ts";
import { MARK_SERVED } from "./service-wire-way.ts";
import type { RunOptions } from "./test-run.ts";
import { bothFamilies, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, router, outside } = NODE;
/** The port of the node. */
export const PORT = NODE_PORT;
/** All addresses of the node. */
export const ANY = { v4: "0.0.0.0", v6: "::" } as const;
export const LOOPBACK = { v4: "127.0.0.1", v6: "::1" } as const;
/** How packets of node 2 come. */
export const BY_TUNNEL = { tunnel: { from: remoteNode.v4 } } as const;
const BEGUN = ["ct_created", "service_forward"];
/** How pod C, which is limited, gets its packets. */
export const LIMITED = { verdict: "redirect", to: podC.ifindex } as const;
export const SYN = tcp(CLIENT, PORT, { flags: TCP_FLAG.syn });

const keyOf = (at: string, protocol: number) => encodeServiceKey({ addr: addr(at).bytes, port: PORT, protocol });

/** Gives a pod the port, as whoever attaches it does. */
export function open(plane: Plane, pod: string, at: string): void {
  for (const protocol of [PROTO.tcp, PROTO.udp, PROTO.sctp])
    plane.put("host_ports", keyOf(at, protocol), encodeBackend({ addr: addr(pod).bytes, port: BACK, protocol }));
  plane.lookForHostPorts(true);
}

/** And takes it away. */
export function close(plane: Plane, at: string): void {
  for (const protocol of [PROTO.tcp, PROTO.udp, PROTO.sctp]) plane.remove("host_ports", keyOf(at, protocol));
}

/** Asserts from where to where a packet goes on. */
export function leads(d: Dissected, src: string, srcPort: number, dst: string, dstPort: number): void {
  assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [src, srcPort, dst, dstPort]);
  if (d.protocol === PROTO.sctp) assert.deepEqual(d.transport, withCrc(d.transport), "CRC");
}

/** Who asks, whose port it is, and how its packets and the answers come by. */
export interface Way {
  readonly name: string;
  readonly client: (f: Word) => string;
  readonly pod: (f: Word) => string;
  /** Whom the pod sees. */
  readonly as: (f: Word) => string;
  readonly program: "from_pod" | "from_wire" | "from_tunnel";
  readonly o: object;
  readonly options: RunOptions;
  readonly back: Pick<Case, "verdict" | "metrics"> & Partial<Case>;
}

export const WAYS: readonly Way[] = [
  {
    name: "a pod of this node",
    client: (f) => podA[f],
    pod: (f) => podB[f],
    as: (f) => podA[f],
    program: "from_pod",
    o: {},
    options: {},
    back: { verdict: "peer", to: podA.ifindex, metrics: ["forward_local", "service_reply"], before: (p) => both(p) },
  },
  {
    name: "the pod itself",
    client: (f) => podA[f],
    pod: (f) => podA[f],
    as: (f) => router[f],
    program: "from_pod",
    o: {},
    options: {},
    back: { verdict: "peer", to: podA.ifindex, metrics: ["forward_local", "service_reply"] },
  },
  {
    name: "a pod of another node",
    client: (f) => remote[f],
    pod: (f) => podA[f],
    as: (f) => remote[f],
    program: "from_tunnel",
    o: {},
    options: BY_TUNNEL,
    back: { verdict: "redirect", to: NODE.tunnel, metrics: ["forward_tunnel", "service_reply"] },
  },
  {
    name: "another node",
    client: (f) => remoteNode[f],
    pod: (f) => podA[f],
    as: (f) => remoteNode[f],
    program: "from_wire",
    o: FROM_WIRE,
    options: {},
    back: { verdict: "neighbour", to: NODE.wire, metrics: ["service_reply"] },
  },
  {
    name: "somebody outside",
    client: (f) => outside[f],
    pod: (f) => podA[f],
    as: (f) => outside[f],
    program: "from_wire",
    o: FROM_WIRE,
    options: {},
    back: { verdict: "neighbour", to: NODE.wire, metrics: ["service_reply"] },
  },
];

function both(plane: Plane): void {
  for (const f of bothFamilies) letPodBSend(plane, f);
}

export const question = (f: Word, way: Way, t: Transport, to: string = node[f]) => frame(way.client(f), to, t, way.o);

/** A question, where the pod's port is open at all addresses unless the case says otherwise. */
export function asks(f: Word, way: Way, name: string, rest: Partial<Case> = {}): Case {
  return {
    name: `${f}: ${way.name}: ${name}`,
    program: way.program,
    before: (plane) => open(plane, way.pod(f), ANY[f]),
    frame: question(f, way, SYN),
    options: way.options,
    verdict: "peer",
    metrics: ["forward_local", ...BEGUN],
    ...rest,
  };
}

export function there(f: Word, way: Way, kind: Kind): Case {
  const [client, pod, as] = [way.client(f), way.pod(f), way.as(f)];
  return asks(f, way, `${kind.name} reaches the pod`, {
    frame: question(f, way, kind.ask(CLIENT, PORT)),
    check: (d, _, plane) => {
      leads(d, as, CLIENT, pod, BACK);
      assert.equal(d.ttl, 63);
      assert.deepEqual(
        flowsText(plane),
        [
          `${client} ${CLIENT} > ${node[f]} ${PORT} => ${as} ${CLIENT} > ${pod} ${BACK}`,
          `${pod} ${BACK} > ${as} ${CLIENT} => ${node[f]} ${PORT} > ${client} ${CLIENT} back`,
        ].sort(),
      );
    },
  });
}

export function back(f: Word, way: Way, kind: Kind): Case {
  return asks(f, way, `${kind.name} is answered by the node's port`, {
    ...way.back,
    before: (plane) => {
      open(plane, way.pod(f), ANY[f]);
      plane.run(way.program, question(f, way, kind.ask(CLIENT, PORT)), way.options);
      way.back.before?.(plane);
    },
    program: "from_pod",
    options: {},
    frame: frame(way.pod(f), way.as(f), kind.answer(BACK, CLIENT), way.pod(f) === podB[f] ? { srcMac: podB.mac } : {}),
    check: (d, ran) => {
      leads(d, node[f], PORT, way.client(f), CLIENT);
      assert.equal(d.ttl, 63);
      assert.equal(ran.mark, way.back.verdict === "neighbour" ? MARK_SERVED : 0);
      if (way.back.verdict === "redirect") assert.equal(ran.vni, NODE.vni);
    },
  });
}

/** What becomes of questions that lead nowhere (any more): each program hands them on as if nobody had any ports. */
export const onwards = (way: Way) =>
  way.program === "from_wire"
    ? ({ verdict: "next", metrics: [] } as const)
    : ({ verdict: "redirect", to: NODE.twill0, metrics: ["forward_stack", "ct_created"] } as const);
