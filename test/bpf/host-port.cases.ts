/** Ports of the node that lead to its pods: asked for by pods here and elsewhere, from the wire, and what answers. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { encodeBackend, encodeServiceKey } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { withCrc } from "./crc32c.ts";
import type { Dissected } from "./dissect.ts";
import { frame, icmpError, ipPacket, PROTO, payload, raw, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { always, denied, onPort, rule } from "./policy-way.ts";
import {
  BACK,
  CLIENT,
  FROM_WIRE,
  flowsText,
  KINDS,
  type Kind,
  letPodBSend,
  NODE_PORT,
  putFrontend,
  SERVED,
} from "./service-way.ts";
import { MARK_SERVED, OUTSIDE } from "./service-wire-way.ts";
import type { RunOptions } from "./test-run.ts";
import { bothFamilies, familyOf, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, router, second, outside } = NODE;
const { syn } = TCP_FLAG;
const PORT = NODE_PORT;
const ANY = { v4: "0.0.0.0", v6: "::" } as const;
const LOOPBACK = { v4: "127.0.0.1", v6: "::1" } as const;
const BY_TUNNEL = { tunnel: { from: remoteNode.v4 } } as const;
const BEGUN = ["ct_created", "service_forward"];
/** How pod C, which is limited, gets its packets. */
const LIMITED = { verdict: "redirect", to: podC.ifindex } as const;
const SYN = tcp(CLIENT, PORT, { flags: syn });

const keyOf = (at: string, protocol: number) => encodeServiceKey({ addr: addr(at).bytes, port: PORT, protocol });

/** Gives a pod the port, as whoever attaches it does. */
function open(plane: Plane, pod: string, at: string): void {
  for (const protocol of [PROTO.tcp, PROTO.udp, PROTO.sctp])
    plane.put("host_ports", keyOf(at, protocol), encodeBackend({ addr: addr(pod).bytes, port: BACK, protocol }));
  plane.lookForHostPorts(true);
}

function close(plane: Plane, at: string): void {
  for (const protocol of [PROTO.tcp, PROTO.udp, PROTO.sctp]) plane.remove("host_ports", keyOf(at, protocol));
}

function leads(d: Dissected, src: string, srcPort: number, dst: string, dstPort: number): void {
  assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [src, srcPort, dst, dstPort]);
  if (d.protocol === PROTO.sctp) assert.deepEqual(d.transport, withCrc(d.transport), "CRC");
}

/** Who asks, whose port it is, and how its packets and the answers come by. */
interface Way {
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

const WAYS: readonly Way[] = [
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

const question = (f: Word, way: Way, t: Transport, to: string = node[f]) => frame(way.client(f), to, t, way.o);

/** A question, where the pod's port is open at all addresses unless the case says otherwise. */
function asks(f: Word, way: Way, name: string, rest: Partial<Case> = {}): Case {
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

function there(f: Word, way: Way, kind: Kind): Case {
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

function back(f: Word, way: Way, kind: Kind): Case {
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
const onwards = (way: Way) =>
  way.program === "from_wire"
    ? ({ verdict: "next", metrics: [] } as const)
    : ({ verdict: "redirect", to: NODE.twill0, metrics: ["forward_stack", "ct_created"] } as const);

const everyWay: Case[] = bothFamilies.flatMap((f) =>
  WAYS.flatMap((way): Case[] => {
    const datagram = udp(CLIENT, PORT);
    const other = way.pod(f) === podA[f] ? podB : podC;
    const known = (plane: Plane) => {
      open(plane, way.pod(f), ANY[f]);
      plane.run(way.program, question(f, way, datagram), way.options);
    };
    return [
      ...KINDS.flatMap((kind) => [there(f, way, kind), back(f, way, kind)]),
      asks(f, way, "and what follows", {
        before: known,
        frame: question(f, way, datagram),
        metrics: ["forward_local", "service_forward"],
      }),
      asks(f, way, "at one address of the node", { before: (plane) => open(plane, way.pod(f), node[f]) }),
      asks(f, way, "not at another one's", {
        before: (plane) => open(plane, way.pod(f), second[f]),
        ...onwards(way),
      }),
      asks(f, way, "while nobody is said to have ports nobody is looked for", {
        before: (plane) => {
          open(plane, way.pod(f), ANY[f]);
          plane.lookForHostPorts(false);
        },
        ...onwards(way),
      }),
      asks(f, way, "a datagram's flow moves with the port to another pod, at once", {
        before: (plane) => {
          known(plane);
          open(plane, other[f], ANY[f]);
        },
        frame: question(f, way, datagram),
        ...(other === podC ? LIMITED : { to: other.ifindex }),
        check: (d) => leads(d, way.client(f), CLIENT, other[f], BACK),
      }),
      asks(f, way, "and to the node itself when nobody has it any more", {
        before: (plane) => {
          known(plane);
          close(plane, ANY[f]);
        },
        frame: question(f, way, datagram),
        ...onwards(way),
        check: (d) => leads(d, way.client(f), CLIENT, node[f], PORT),
      }),
      asks(f, way, "what had no answer before the port was there is translated from then on", {
        before: (plane) => {
          plane.run(way.program, question(f, way, datagram), way.options);
          open(plane, way.pod(f), ANY[f]);
        },
        frame: question(f, way, datagram),
      }),
      asks(f, way, "the pod's policy is asked about its own port", {
        before: (plane) => {
          open(plane, way.pod(f), ANY[f]);
          if (way.name !== "the pod itself")
            rule(plane, way.pod(f) === podA[f] ? "podA" : "podB", "ingress", {
              rows: [onPort(PROTO.tcp, BACK, denied(1))],
            });
          else rule(plane, "podA", "egress", { rows: [always(denied(1))] });
        },
        ...(way.name === "the pod itself"
          ? {}
          : {
              verdict: "drop",
              metrics: ["drop_policy"],
              check: (_, __, plane) => assert.deepEqual(flowsText(plane), []),
            }),
      }),
    ];
  }),
);

const [near, , far, , beyond] = WAYS as readonly [Way, Way, Way, Way, Way];

const parts: Case[] = bothFamilies.flatMap((f): Case[] => [
  asks(f, near, "a port of another node is that node's", {
    frame: question(f, near, SYN, remoteNode[f]),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "ct_created"],
  }),
  ...[near, beyond].map((way) =>
    asks(f, way, "at an address that only the routing table knows", { frame: question(f, way, SYN, second[f]) }),
  ),
  asks(f, near, "an address outside that a port is said to be open at", {
    before: (plane) => open(plane, podB[f], outside[f]),
    frame: question(f, near, SYN, outside[f]),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "ct_created"],
  }),
  asks(f, beyond, "what is for the node's loopback is not taken from the wire", {
    before: (plane) => open(plane, podA[f], LOOPBACK[f]),
    frame: question(f, beyond, SYN, LOOPBACK[f]),
    verdict: "next",
    metrics: [],
  }),
  asks(f, beyond, "an impossible client is the stack's to judge", {
    frame: frame(podB[f], node[f], SYN, FROM_WIRE),
    verdict: "next",
    metrics: [],
  }),
  ...[near, beyond].map((way) =>
    asks(f, way, "a service that has the port counts first", {
      before: (plane) => {
        open(plane, way.pod(f), ANY[f]);
        plane.putConfig({ flags: SERVED });
        const to = [{ addr: podC[f], port: 9999 }];
        putFrontend(plane, { addr: ANY[f], port: PORT, flags: OUTSIDE, inside: to, outside: to });
      },
      ...LIMITED,
      check: (d) => leads(d, way.client(f), CLIENT, podC[f], 9999),
    }),
  ),
  asks(f, far, "what pods of other nodes ask of a service here is not a host port's", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.putConfig({ flags: SERVED });
      putFrontend(plane, { addr: ANY[f], port: PORT, flags: OUTSIDE, inside: [{ addr: podB[f] }] });
    },
    ...onwards(far),
  }),
  asks(f, far, "from somebody who is no node", {
    options: { tunnel: { from: "192.168.77.99" } },
    verdict: "drop",
    metrics: ["drop_node_unknown"],
  }),
  asks(f, far, "from a pod that is not the sending node's", {
    frame: frame(outside[f], node[f], SYN),
    verdict: "drop",
    metrics: ["drop_not_of_node"],
  }),
  asks(f, far, "what the wire brings in its name is not its flow", {
    program: "from_wire",
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
    },
    frame: frame(remote[f], node[f], udp(CLIENT, PORT), FROM_WIRE),
    options: {},
    verdict: "next",
    metrics: [],
  }),
  asks(f, far, "a later fragment follows the first", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      const first = { id: 99, offset: 0, more: true } as const;
      plane.run(
        "from_tunnel",
        frame(remote[f], node[f], udp(CLIENT, PORT, payload(24)), { fragment: first }),
        BY_TUNNEL,
      );
    },
    frame: frame(remote[f], node[f], raw(PROTO.udp, payload(24)), { fragment: { id: 99, offset: 4, more: false } }),
    metrics: ["forward_local", "fragment", "service_forward"],
  }),
  asks(f, far, "an ICMP error about an answer reaches the pod", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
    },
    frame: frame(remote[f], node[f], icmpError(familyOf(f), ipPacket(node[f], remote[f], udp(PORT, CLIENT)))),
    metrics: ["forward_local", "icmp_related", "service_forward"],
    check: (d) => assert.deepEqual([d.src, d.dst], [remote[f], podA[f]]),
  }),
  asks(f, far, "an answer that does not fit the tunnel is the stack's to cut up, or to refuse", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
    },
    program: "from_pod",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT, payload(NODE.tunnelMtu))),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack", "slow_mtu"],
    check: (d) => leads(d, podA[f], BACK, remote[f], CLIENT),
  }),
  asks(f, far, "an answer that the stack has cut up goes on", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
    },
    program: "from_host",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT)),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: ["forward_tunnel", "service_reply"],
    check: (d) => leads(d, node[f], PORT, remote[f], CLIENT),
  }),
  asks(f, far, "an answer without a hop left ends", {
    before: (plane) => {
      open(plane, podA[f], ANY[f]);
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
    },
    program: "from_pod",
    options: {},
    frame: frame(podA[f], remote[f], udp(BACK, CLIENT), { ttl: 1 }),
    isDroppedLate: true,
    verdict: "drop",
    metrics: ["service_reply", "drop_ttl"],
  }),
  asks(f, far, "an established flow to the node itself goes on when somebody gets its port", {
    before: (plane) => {
      plane.run("from_tunnel", question(f, far, udp(CLIENT, PORT)), BY_TUNNEL);
      plane.run("from_host", frame(node[f], remote[f], udp(PORT, CLIENT)));
      open(plane, podA[f], ANY[f]);
    },
    frame: question(f, far, udp(CLIENT, PORT)),
    verdict: "redirect",
    to: NODE.twill0,
    metrics: ["forward_stack"],
  }),
]);

export const HOST_PORT_CASES: readonly Case[] = [...everyWay, ...parts];
