/** Direct server return: a node forwards to a pod of another node as it came, and that node answers the client. */

import assert from "node:assert/strict";
import { ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { dissect } from "./dissect.ts";
import { frame, icmpError, ipPacket, PROTO, payload, raw, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { always, denied, rule } from "./policy-way.ts";
import {
  BACK,
  BALANCER,
  backendNumber,
  CLIENT,
  FROM_WIRE,
  FRONT,
  flowsText,
  GATEWAY,
  KINDS,
  type Kind,
  putService,
} from "./service-way.ts";
import { bothFamilies, familyOf, type Word } from "./wire-way.ts";

const { podA, podB, remote, remoteNode, node, outside } = NODE;
const { syn } = TCP_FLAG;
const DSR = ServiceFlag.outside | ServiceFlag.dsr;
const VIA_NODE2 = { tunnel: { from: remoteNode.v4 } } as const;
const TOLD = ["forward_tunnel", "ct_created", "service_forward"];

/** What another node puts in place of the inner frame's source: the number of the backend that it has chosen. */
const marked = (number: number) => `0e:d5:${number.toString(16).padStart(2, "0")}:00:00:00`;
const CHOSEN = marked(backendNumber(0, true));

const balancer = (plane: Plane, f: Word, backends: readonly string[]) =>
  putService(plane, { addr: BALANCER[f], flags: DSR, outside: backends.map((a) => ({ addr: a })) });

/** At the node that the client reaches. */
function entry(f: Word, name: string, kind: Kind, rest: Partial<Case> = {}): Case {
  return {
    name: `${f}: ${name}`,
    program: "from_wire",
    before: (plane) => balancer(plane, f, [remote[f]]),
    frame: frame(outside[f], BALANCER[f], kind.ask(CLIENT, FRONT), FROM_WIRE),
    verdict: "redirect",
    to: NODE.tunnel,
    metrics: TOLD,
    ...rest,
  };
}

/** At the node of the backend. */
function end(f: Word, name: string, rest: Partial<Case> = {}): Case {
  return {
    name: `${f}: ${name}`,
    program: "from_tunnel",
    before: (plane) => balancer(plane, f, [podA[f]]),
    frame: frame(outside[f], BALANCER[f], tcp(CLIENT, FRONT, { flags: syn }), { srcMac: CHOSEN }),
    options: VIA_NODE2,
    verdict: "peer",
    metrics: ["forward_local", "ct_created", "service_forward"],
    ...rest,
  };
}

const entries: Case[] = bothFamilies.flatMap((f): Case[] => [
  ...KINDS.flatMap((kind): Case[] => {
    const bytes = frame(outside[f], BALANCER[f], kind.ask(CLIENT, FRONT), FROM_WIRE);
    const asItCame: Case["check"] = (d, ran, plane) => {
      assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort, d.ttl], [outside[f], CLIENT, BALANCER[f], FRONT, 63]);
      assert.deepEqual(d.transport, dissect(bytes).transport);
      assert.deepEqual([d.srcMac, d.dstMac, ran.vni], [CHOSEN, GATEWAY, NODE.vni]);
      assert.equal(plane.serviceFlows().length, 2);
    };
    return [
      entry(f, `${kind.name} goes on as it came, with the backend's number`, kind, { check: asItCame }),
      entry(f, `${kind.name} goes on to the same backend`, kind, {
        before: (plane) => {
          balancer(plane, f, [remote[f]]);
          plane.run("from_wire", bytes);
          balancer(plane, f, [podA[f]]);
        },
        metrics: ["forward_tunnel", "service_forward"],
        check: (d, ran, plane) => {
          asItCame(d, ran, plane, []);
          assert.notEqual(plane.flows(kind.flows)[0]?.entry.replySeen, 0, "as one that is answered");
        },
      }),
    ];
  }),
  ...KINDS.slice(0, 1).flatMap((kind): Case[] => [
    entry(f, "a pod of this node is reached as ever", kind, {
      before: (plane) => balancer(plane, f, [podB[f]]),
      verdict: "peer",
      to: podB.ifindex,
      metrics: ["forward_local", "ct_created", "service_forward"],
    }),
    entry(f, "another node is asked in this node's name", kind, {
      before: (plane) => balancer(plane, f, [remoteNode[f]]),
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["ct_created", "service_forward"],
      check: (d) => assert.deepEqual([d.src, d.dst], [node[f], remoteNode[f]]),
    }),
    entry(f, "a SYN gets an MSS that fits the tunnel", kind, {
      frame: frame(outside[f], BALANCER[f], tcp(CLIENT, FRONT, { flags: syn, options: [2, 4, 0x05, 0xdc] }), FROM_WIRE),
      metrics: ["forward_tunnel", "mss_clamped", "ct_created", "service_forward"],
    }),
    entry(f, "what does not fit the tunnel is told so", kind, {
      frame: frame(outside[f], BALANCER[f], udp(CLIENT, FRONT, payload(NODE.tunnelMtu)), {
        ...FROM_WIRE,
        dontFragment: true,
      }),
      to: 1,
      metrics: ["slow_mtu", "rejected"],
    }),
    entry(f, "an ICMP error on the way of the answer goes on, too", kind, {
      before: (plane) => {
        balancer(plane, f, [remote[f]]);
        plane.run("from_wire", frame(outside[f], BALANCER[f], udp(CLIENT, FRONT), FROM_WIRE));
      },
      frame: frame(
        remoteNode[f],
        BALANCER[f],
        icmpError(familyOf(f), ipPacket(BALANCER[f], outside[f], udp(FRONT, CLIENT))),
        FROM_WIRE,
      ),
      metrics: ["forward_tunnel", "service_forward"],
      check: (d) => assert.deepEqual([d.src, d.dst, d.srcMac], [remoteNode[f], BALANCER[f], CHOSEN]),
    }),
  ]),
]);

const first = { id: 99, offset: 0, more: true } as const;
const later = { id: 99, offset: 4, more: false } as const;

const ends: Case[] = bothFamilies.flatMap((f): Case[] => {
  const reached = (plane: Plane) => {
    balancer(plane, f, [podA[f]]);
    for (const t of [tcp(CLIENT, FRONT, { flags: syn }), udp(CLIENT, FRONT)])
      plane.run("from_tunnel", frame(outside[f], BALANCER[f], t, { srcMac: CHOSEN }), VIA_NODE2);
  };
  const gone = { verdict: "drop", metrics: ["drop_not_of_node"] } as const;
  return [
    end(f, "with session affinity the client asks the same backend here, too, whatever a pod has asked before", {
      before: (plane) => {
        const inside = [{ addr: podB[f] }];
        const targets = [{ addr: podA[f] }, { addr: podB[f] }];
        const flags = DSR | ServiceFlag.affinity;
        putService(plane, { addr: BALANCER[f], flags, affinitySeconds: 100, inside, outside: targets });
        for (const port of [1, 2]) plane.run("from_pod", frame(podA[f], BALANCER[f], udp(port, FRONT)));
      },
      check: (_, __, plane) => {
        for (let port = 5000; port < 5020; port++) {
          const asked = frame(outside[f], BALANCER[f], tcp(port, FRONT, { flags: syn }), FROM_WIRE);
          assert.equal(dissect(plane.runQuick("from_wire", asked).frame).dst, podA[f]);
        }
      },
    }),
    end(f, "what another node has chosen a pod here for reaches it", {
      to: podA.ifindex,
      check: (d, _, plane) => {
        assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [outside[f], CLIENT, podA[f], BACK]);
        assert.equal(plane.serviceFlows().length, 2);
      },
    }),
    end(f, "the pod that was chosen, and no other", {
      before: (plane) => balancer(plane, f, [podB[f], remote[f], podA[f]]),
      frame: frame(outside[f], BALANCER[f], tcp(CLIENT, FRONT, { flags: syn }), {
        srcMac: marked(backendNumber(2, true)),
      }),
      to: podA.ifindex,
    }),
    end(f, "and what follows", { before: reached, metrics: ["forward_local", "service_forward"] }),
    end(f, "a later fragment follows", {
      before: (plane) => {
        reached(plane);
        const part = udp(CLIENT, FRONT, payload(24));
        plane.run("from_tunnel", frame(outside[f], BALANCER[f], part, { srcMac: CHOSEN, fragment: first }), VIA_NODE2);
      },
      frame: frame(outside[f], BALANCER[f], raw(PROTO.udp, payload(24)), { srcMac: CHOSEN, fragment: later }),
      metrics: ["forward_local", "fragment", "service_forward"],
    }),
    end(f, "the pod answers the client itself", {
      program: "from_pod",
      before: reached,
      frame: frame(podA[f], outside[f], tcp(BACK, CLIENT, { flags: syn | TCP_FLAG.ack })),
      options: {},
      verdict: "neighbour",
      to: NODE.wire,
      metrics: ["service_reply"],
      check: (d) => assert.deepEqual([d.src, d.srcPort, d.dst, d.dstPort], [BALANCER[f], FRONT, outside[f], CLIENT]),
    }),
    end(f, "an ICMP error that another node passes on reaches the pod", {
      before: reached,
      frame: frame(
        remoteNode[f],
        BALANCER[f],
        icmpError(familyOf(f), ipPacket(BALANCER[f], outside[f], udp(FRONT, CLIENT))),
        { srcMac: CHOSEN },
      ),
      metrics: ["forward_local", "icmp_related", "service_forward"],
      check: (d) => assert.deepEqual([d.src, d.dst], [remoteNode[f], podA[f]]),
    }),
    end(f, "the pod's policy is asked", {
      before: (plane) => {
        balancer(plane, f, [podA[f]]);
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
      },
      verdict: "drop",
      metrics: ["drop_policy"],
      check: (_, __, plane) => assert.deepEqual(flowsText(plane), []),
    }),
    end(f, "from somebody who is no node", {
      options: { tunnel: { from: "192.168.77.99" } },
      verdict: "drop",
      metrics: ["drop_node_unknown"],
    }),
    end(f, "a backend that is not here", {
      before: (plane) => balancer(plane, f, [remote[f]]),
      verdict: "drop",
      metrics: ["drop_no_endpoint"],
    }),
    end(f, "a number that nobody has", {
      frame: frame(outside[f], BALANCER[f], tcp(CLIENT, FRONT, { flags: syn }), { srcMac: marked(77) }),
      verdict: "drop",
      metrics: ["drop_no_backend"],
    }),
    end(f, "what is no service here", {
      frame: frame(outside[f], BALANCER[f], tcp(CLIENT, 81), { srcMac: CHOSEN }),
      ...gone,
    }),
    end(f, "a pod's address as a source", {
      frame: frame(podB[f], BALANCER[f], tcp(CLIENT, FRONT), { srcMac: CHOSEN }),
      ...gone,
    }),
    end(f, "where there are no services the mark says nothing", {
      before: (plane) => {
        balancer(plane, f, [podA[f]]);
        plane.putConfig();
      },
      ...gone,
    }),
    end(f, "a later fragment without its first", {
      frame: frame(outside[f], BALANCER[f], raw(PROTO.udp, payload(24)), { srcMac: CHOSEN, fragment: later }),
      verdict: "drop",
      metrics: ["fragment", "drop_fragment_unknown"],
    }),
  ];
});

export const SERVICE_DSR_CASES: readonly Case[] = [...entries, ...ends];
