/** What belongs to a flow and what does not: fragments, ICMP errors, questions and answers, connections that begin anew. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import {
  echo,
  frame,
  icmp,
  icmp6,
  icmpError,
  ipPacket,
  PROTO,
  payload,
  raw,
  TCP_FLAG,
  type Transport,
  tcp,
  udp,
} from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import {
  allowed,
  always,
  bothFamilies,
  denied,
  echoPort,
  familyOf,
  icmpOf,
  onPort,
  openBoth,
  rule,
  TWILL1,
  VIA_NODE2,
  type Word,
} from "./policy-way.ts";

const { podA, podB, remote, outside } = NODE;
const SYN = { flags: TCP_FLAG.syn };
const first = { id: 7, offset: 0, more: true };
const later = { id: 7, offset: 4, more: false };

const toB = (f: Word, t: Transport, o = {}) => frame(podA[f], podB[f], t, o);
const toA = (f: Word, t: Transport, o = {}) => frame(podB[f], podA[f], t, { srcMac: podB.mac, ...o });
const send = (plane: Plane, bytes: Uint8Array) => plane.run("from_pod", bytes);

/** Pod B takes that and nothing else, and begins nothing itself. */
function onlyTakes(plane: Plane, protocol: number, port: number): void {
  rule(plane, "podB", "ingress", { rows: [always(denied(1)), onPort(protocol, port, allowed(2))] });
  rule(plane, "podB", "egress", { rows: [always(denied(3))] });
}

const dropped = { verdict: "drop", metrics: ["drop_policy"] } as const;
const passes = { verdict: "peer", metrics: ["forward_local", "ct_created"] } as const;
const follows = { verdict: "peer", metrics: ["forward_local"] } as const;

const fragments: Case[] = bothFamilies.flatMap((f): Case[] => {
  const [family, protocol] = [familyOf(f), icmpOf(f)];
  const tail = (p: number) => toB(f, raw(p, payload(24)), { fragment: later });
  return [
    {
      name: `${f}: a later fragment follows its flow`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, PROTO.udp, 80);
        send(plane, toB(f, udp(4000, 80, payload(24)), { fragment: first }));
      },
      frame: tail(PROTO.udp),
      verdict: "peer",
      metrics: ["forward_local", "fragment"],
    },
    {
      name: `${f}: a later fragment of what was denied is denied for its port`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, PROTO.udp, 81);
        send(plane, toB(f, udp(4000, 80, payload(24)), { fragment: first }));
      },
      frame: tail(PROTO.udp),
      verdict: "drop",
      metrics: ["fragment", "drop_policy"],
    },
    {
      name: `${f}: a later fragment of an allowed echo`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, echoPort(f));
        send(plane, toB(f, echo(family, 9, false, payload(24)), { fragment: first }));
      },
      frame: tail(protocol),
      verdict: "peer",
      metrics: ["forward_local", "fragment"],
    },
    {
      name: `${f}: a later fragment of a denied echo, which has no type to ask about`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, 0);
        send(plane, toB(f, echo(family, 9, false, payload(24)), { fragment: first }));
      },
      frame: tail(protocol),
      verdict: "drop",
      metrics: ["fragment", "drop_fragment_unknown"],
    },
  ];
});

/** Errors of each sender about a flow that is denied by now, and about one that is not. */
const errors: Case[] = bothFamilies.flatMap((f): Case[] => {
  const family = familyOf(f);
  const about = (t: Transport, from: string, to: string) => icmpError(family, ipPacket(from, to, t));
  const router = f === "v4" ? "203.0.113.1" : "2001:db8:99::1";
  const senders = [
    {
      by: "the pod that it was for",
      program: "from_pod",
      begin: (plane: Plane) => send(plane, toB(f, udp(4000, 80))),
      frame: toA(f, about(udp(4000, 80), podA[f], podB[f])),
    },
    {
      by: "a pod of another node",
      program: "from_tunnel",
      begin: (plane: Plane) => send(plane, frame(podA[f], remote[f], udp(4000, 80))),
      frame: frame(remote[f], podA[f], about(udp(4000, 80), podA[f], remote[f])),
      options: VIA_NODE2,
    },
    {
      by: "a router, through the stack",
      program: "from_host",
      begin: (plane: Plane) => send(plane, frame(podA[f], outside[f], udp(4000, 80))),
      frame: frame(router, podA[f], about(udp(4000, 80), podA[f], outside[f]), TWILL1),
    },
  ] as const;
  return senders.flatMap(({ by, begin, ...s }): Case[] => [
    {
      name: `${f}: an ICMP error of ${by} passes, though nothing may be begun that way`,
      ...s,
      before: (plane) => {
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
        onlyTakes(plane, PROTO.udp, 80);
        begin(plane);
      },
      verdict: "peer",
      metrics: ["forward_local", "icmp_related"],
    },
    {
      name: `${f}: an ICMP error of ${by} is judged in the flow's direction when rules have changed`,
      ...s,
      before: (plane) => {
        onlyTakes(plane, PROTO.udp, 80);
        begin(plane);
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
        // About whom the flow is with, not about who sends the error.
        const rows = [onPort(PROTO.udp, 80, allowed(4))];
        rule(plane, "podA", "egress", { rows: [], peers: { podB: rows, remote: rows, outside: rows } });
      },
      verdict: "peer",
      metrics: ["forward_local", "icmp_related", "policy_rejudged"],
    },
    {
      name: `${f}: an ICMP error of ${by} about a flow that is denied by now`,
      ...s,
      before: (plane) => {
        openBoth(plane);
        begin(plane);
        rule(plane, "podA", "egress", { rows: [always(allowed(1)), onPort(PROTO.udp, 80, denied(2))] });
      },
      verdict: "drop",
      metrics: ["icmp_related", "policy_rejudged", "drop_policy"],
    },
  ]);
});

const questions: Case[] = bothFamilies.flatMap((f): Case[] => {
  const [family, protocol] = [familyOf(f), icmpOf(f)];
  const query = f === "v4" ? icmp : icmp6;
  const [ask, answer, other] = f === "v4" ? [13, 14, 17] : [139, 140, 160];
  const id = [0, 9, 0, 1];
  const ping = echo(family, 9);
  const pong = echo(family, 9, true);
  return [
    {
      name: `${f}: who is asked under an identifier may not ask under it`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, echoPort(f));
        send(plane, toB(f, ping));
      },
      frame: toA(f, ping),
      ...dropped,
      check: (_, __, plane) => {
        assert.deepEqual(send(plane, toA(f, pong)).metrics, ["forward_local"], "the answer passes as before");
        assert.deepEqual(send(plane, toB(f, ping)).metrics, ["forward_local"]);
      },
    },
    {
      name: `${f}: two that ask each other under one identifier are two flows`,
      program: "from_pod",
      before: (plane) => {
        openBoth(plane);
        send(plane, toB(f, ping));
        send(plane, toA(f, ping));
        // What each of the two may begin is judged by itself.
        rule(plane, "podB", "egress", { rows: [always(denied(3))] });
      },
      frame: toB(f, pong),
      verdict: "drop",
      metrics: ["policy_rejudged", "drop_policy"],
      check: (_, __, plane) => {
        assert.equal(plane.flows("ct_other").length, 2);
        assert.deepEqual(send(plane, toA(f, pong)).metrics, ["forward_local", "policy_rejudged"]);
      },
    },
    {
      name: `${f}: an answer that was not asked for is judged as such`,
      program: "from_pod",
      before: (plane) => onlyTakes(plane, protocol, echoPort(f)),
      frame: toB(f, pong),
      ...dropped,
    },
    {
      name: `${f}: a question whose answer was seen first is judged, and begins the flow`,
      program: "from_pod",
      before: (plane) => {
        openBoth(plane);
        send(plane, toA(f, pong));
        onlyTakes(plane, protocol, echoPort(f));
      },
      frame: toB(f, ping),
      ...follows,
      check: (_, __, plane) => {
        assert.equal(plane.flows("ct_other")[0]?.entry.asked, echoPort(f));
        assert.deepEqual(send(plane, toA(f, pong)).metrics, ["forward_local"]);
      },
    },
    {
      name: `${f}: a question with another code is another flow`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, echoPort(f));
        send(plane, toB(f, ping));
      },
      frame: toB(f, query(f === "v4" ? 8 : 128, 5, [0, 9, 0, 1], payload(8))),
      ...dropped,
    },
    {
      name: `${f}: one query that is allowed lets no other pass`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, ask << 8);
        send(plane, toB(f, query(ask, 0, id, payload(12))));
      },
      frame: toB(f, query(other, 0, id, payload(12))),
      ...dropped,
      check: (_, __, plane) => {
        assert.deepEqual(send(plane, toA(f, query(answer, 0, id, payload(12)))).metrics, ["forward_local"]);
      },
    },
    {
      name: `${f}: a message that nobody answers is judged each way`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, protocol, 200 << 8);
        send(plane, toB(f, query(200, 0, id, payload(12))));
      },
      frame: toA(f, query(200, 0, id, payload(12))),
      ...dropped,
    },
  ];
});

const tunnelled = (f: Word, t: Transport) => frame(remote[f], podA[f], t);

const connections: Case[] = bothFamilies.flatMap((f): Case[] => {
  const rst = { flags: TCP_FLAG.rst };
  return [
    {
      name: `${f}: who was connected to may not connect by the same ports once the connection is over`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, PROTO.tcp, 80);
        send(plane, toB(f, tcp(4000, 80, SYN)));
        send(plane, toB(f, tcp(4000, 80, rst)));
      },
      frame: toA(f, tcp(80, 4000, SYN)),
      verdict: "drop",
      metrics: ["ct_reopened", "drop_policy"],
    },
    {
      name: `${f}: nor may a pod of another node`,
      program: "from_tunnel",
      before: (plane) => {
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
        send(plane, frame(podA[f], remote[f], tcp(4000, 80, SYN)));
        send(plane, frame(podA[f], remote[f], tcp(4000, 80, rst)));
      },
      frame: tunnelled(f, tcp(80, 4000, SYN)),
      options: VIA_NODE2,
      verdict: "drop",
      metrics: ["ct_reopened", "drop_policy"],
    },
    {
      name: `${f}: nor while it lives`,
      program: "from_tunnel",
      before: (plane) => {
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
        send(plane, frame(podA[f], remote[f], tcp(4000, 80, SYN)));
      },
      frame: tunnelled(f, tcp(80, 4000, SYN)),
      options: VIA_NODE2,
      ...dropped,
      check: (_, __, plane) => {
        const answer = tunnelled(f, tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack }));
        assert.deepEqual(plane.run("from_tunnel", answer, VIA_NODE2).metrics, ["forward_local"]);
      },
    },
    {
      name: `${f}: two that connect to each other at once, where both may`,
      program: "from_tunnel",
      before: (plane) => send(plane, frame(podA[f], remote[f], tcp(4000, 80, SYN))),
      frame: tunnelled(f, tcp(80, 4000, SYN)),
      options: VIA_NODE2,
      ...follows,
    },
    {
      name: `${f}: a connection that begins anew is judged anew`,
      program: "from_pod",
      before: (plane) => {
        onlyTakes(plane, PROTO.tcp, 80);
        send(plane, toB(f, tcp(4000, 80, SYN)));
        send(plane, toB(f, tcp(4000, 80, rst)));
      },
      frame: toB(f, tcp(4000, 80, SYN)),
      verdict: "peer",
      metrics: ["forward_local", "ct_reopened"],
      check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.judged, plane.policyGeneration),
    },
    {
      name: `${f}: a connection that is first seen in its middle is judged by the packet that is seen`,
      program: "from_pod",
      before: (plane) => onlyTakes(plane, PROTO.tcp, 80),
      frame: toB(f, tcp(4000, 80)),
      ...passes,
    },
    {
      name: `${f}: by that alone, should it be an answer`,
      program: "from_pod",
      before: (plane) => onlyTakes(plane, PROTO.tcp, 80),
      frame: toA(f, tcp(80, 4000)),
      ...dropped,
    },
    {
      name: `${f}: what the stack claims of a connection seen in its middle is judged as the stack's`,
      program: "from_host",
      before: (plane) => {
        send(plane, frame(podA[f], NODE.node[f], tcp(80, 4000)));
        rule(plane, "podA", "ingress", { rows: [always(denied(1))] });
      },
      frame: frame(NODE.node[f], podA[f], tcp(4000, 80), TWILL1),
      ...dropped,
    },
  ];
});

export const POLICY_PARTS_CASES: readonly Case[] = [...fragments, ...errors, ...questions, ...connections];
