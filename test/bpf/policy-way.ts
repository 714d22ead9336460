/** What the cases of policy share: rules for the pods of NODE, written as an agent would write them. */

import { addr } from "../../src/net/addr.ts";
import { prefix } from "../../src/net/prefix.ts";
import { classMapRow, identityMapRow, POLICY_MAPS, peerMapRow, setMapRows } from "../../src/plan/policy-rows.ts";
import type { SetRow, Verdict } from "../../src/policy/table.ts";
import { echo, frame, icmp, icmp6, PROTO, payload, raw, sctp, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { BANK, OPEN_CLASS, type Plane } from "./plane.ts";
import type { Program, Ran, RunOptions } from "./test-run.ts";

export const bothFamilies = ["v4", "v6"] as const;
export type Word = (typeof bothFamilies)[number];
export const familyOf = (f: Word): 4 | 6 => (f === "v4" ? 4 : 6);
export const icmpOf = (f: Word) => (f === "v4" ? PROTO.icmp : PROTO.icmp6);
/** Type and code of an echo request, as policy asks about them. */
export const echoPort = (f: Word) => (f === "v4" ? 0x0800 : 0x8000);

/** What tunnel packets of node 2 come with. */
export const VIA_NODE2 = { tunnel: { from: NODE.remoteNode.v4 } } as const;
/** MACs of what the stack sends to twill0. */
export const TWILL1 = { dstMac: "ee:ee:ee:ee:ee:ee", srcMac: "ee:ee:ee:ee:ee:ee" } as const;

/** Identities of who takes part. */
export const WHO = { podA: 300, podB: 301, remote: 302, node: 303, outside: 304 } as const;

export type PodName = "podA" | "podB";

export function allowed(rule: number, more: Partial<Verdict> = {}): Verdict {
  return { isAllowed: true, rule, logRule: 0, staged: undefined, ...more };
}

export function denied(rule: number, more: Partial<Verdict> = {}): Verdict {
  return { ...allowed(rule, more), isAllowed: false };
}

/** The answer to everything. */
export function always(verdict: Verdict): SetRow {
  return { prefixLength: 32, protocol: 0, port: 0, verdict };
}

/** The answer to one port of a protocol, or to `1 << (16 - bits)` of them. */
export function onPort(protocol: number, port: number, verdict: Verdict, bits = 16): SetRow {
  return { prefixLength: 48 + bits, protocol, port, verdict };
}

/** A kind of traffic: what asks for it, and what is asked about. */
export interface Kind {
  readonly name: string;
  readonly first: Transport;
  readonly answer: Transport;
  readonly protocol: number;
  readonly port: number;
}

/** Everything that is judged each in its own way. */
export function kinds(f: Word): readonly Kind[] {
  const [family, protocol] = [familyOf(f), icmpOf(f)];
  const query = f === "v4" ? icmp : icmp6;
  const [ask, reply] = f === "v4" ? [13, 14] : [139, 140];
  const id = [0, 9, 0, 1];
  const syn = { flags: TCP_FLAG.syn };
  const answer = { flags: TCP_FLAG.syn | TCP_FLAG.ack };
  return [
    { name: "TCP", first: tcp(4000, 80, syn), answer: tcp(80, 4000, answer), protocol: PROTO.tcp, port: 80 },
    { name: "UDP", first: udp(4000, 80), answer: udp(80, 4000), protocol: PROTO.udp, port: 80 },
    { name: "SCTP", first: sctp(4000, 80), answer: sctp(80, 4000), protocol: PROTO.sctp, port: 80 },
    { name: "an echo", first: echo(family, 9), answer: echo(family, 9, true), protocol, port: echoPort(f) },
    {
      name: "another ICMP query",
      first: query(ask, 0, id, payload(12)),
      answer: query(reply, 0, id, payload(12)),
      protocol,
      port: ask << 8,
    },
    {
      name: "another protocol",
      first: raw(PROTO.gre, payload(20)),
      answer: raw(PROTO.gre, payload(20)),
      protocol: PROTO.gre,
      port: 0,
    },
  ];
}

/** Gives everybody an identity of their own. */
export function name(plane: Plane): void {
  for (const [who, identity] of Object.entries(WHO))
    for (const f of bothFamilies) {
      const at = NODE[who as keyof typeof WHO][f];
      const row = { prefix: prefix(`${at}/${addr(at).family === 4 ? 32 : 128}`), identity };
      plane.putRows(POLICY_MAPS.identities, [identityMapRow(BANK, row)]);
    }
}

/** Class of a pod's direction, and the first of its sets. */
const CLASSES = { podA: { ingress: 10, egress: 11 }, podB: { ingress: 12, egress: 13 } } as const;
const setOf = (number: number, i: number) => number * 10 + i;

/** The rules of one direction of a pod. */
export interface Rules {
  /** For who has no rows of their own. */
  readonly rows: readonly SetRow[];
  /** IPv6's, where they are others. */
  readonly rows6?: readonly SetRow[];
  readonly peers?: Readonly<Partial<Record<keyof typeof WHO, readonly SetRow[]>>>;
}

/** Writes the rules of a class in both families. */
export function writeClass(plane: Plane, number: number, rules: Rules): void {
  plane.dropSets(setOf(number, 0), setOf(number, 9));
  const peers = Object.entries(rules.peers ?? {});
  plane.putRows(POLICY_MAPS.sets, setMapRows(setOf(number, 0), rules.rows));
  plane.putRows(POLICY_MAPS.sets, setMapRows(setOf(number, 1), rules.rows6 ?? rules.rows));
  for (const [i, [who, rows]] of peers.entries()) {
    const set = setOf(number, 2 + i);
    plane.putRows(POLICY_MAPS.sets, setMapRows(set, rows ?? []));
    plane.putRows(POLICY_MAPS.peers, [peerMapRow(number, WHO[who as keyof typeof WHO], set)]);
  }
  const row = { set4: setOf(number, 0), set6: setOf(number, 1) };
  plane.putRows(POLICY_MAPS.classes, [classMapRow(BANK, number, row)]);
  name(plane);
}

/** Writes rules of a pod in both families, and announces them. */
export function rule(plane: Plane, pod: PodName, direction: "ingress" | "egress", rules: Rules): void {
  writeClass(plane, CLASSES[pod][direction], rules);
  giveClasses(plane, pod);
  plane.announcePolicy();
}

/** Both pods speak through the device that TEST_RUN lets all packets come in by, under their own rules. */
export function openBoth(plane: Plane): void {
  for (const pod of ["podA", "podB"] as const) giveClasses(plane, pod);
}

/** Pod A with its rules on another link than TEST_RUN's. */
export function putPodA(plane: Plane, ifindex: number): void {
  giveClasses(plane, "podA", ifindex);
  plane.announceEndpoints();
}

/** Lets the pod ask those classes of its own that exist. */
function giveClasses(plane: Plane, pod: PodName, ifindex = 1): void {
  const { ingress, egress } = CLASSES[pod];
  const classes = {
    ingressClass: plane.hasClass(ingress) ? ingress : OPEN_CLASS,
    egressClass: plane.hasClass(egress) ? egress : OPEN_CLASS,
  };
  for (const f of bothFamilies) plane.putEndpoint(NODE[pod][f], { ...NODE[pod], ifindex }, classes);
}

/** A packet and the program that it comes by. */
export interface Step {
  readonly program: Program;
  readonly frame: Uint8Array;
  readonly options?: RunOptions;
  /** What is counted when it goes on. */
  readonly metric: string;
}

/** An end that has a say, and how it sees the other. */
export interface End {
  readonly pod: PodName;
  readonly direction: "ingress" | "egress";
  readonly peer: keyof typeof WHO;
}

/** A way that flows go: how packets of both directions come by, and who is asked. */
export interface Way {
  readonly name: string;
  readonly ends: readonly End[];
  readonly from: keyof typeof WHO;
  readonly to: keyof typeof WHO;
  forth(t: Transport): Step;
  back(t: Transport): Step;
}

/** All ways that end at a pod of this node on at least one side, but those past the wire. */
export function ways(f: Word): readonly Way[] {
  const { podA, podB, remote, node } = NODE;
  const fromA = { pod: "podA", direction: "egress" } as const;
  const toA = { pod: "podA", direction: "ingress" } as const;
  const podSends = (t: Transport, to: string, metric: string): Step => ({
    program: "from_pod",
    frame: frame(podA[f], to, t),
    metric,
  });
  const tunnelled = (t: Transport): Step => ({
    program: "from_tunnel",
    frame: frame(remote[f], podA[f], t),
    options: VIA_NODE2,
    metric: "forward_local",
  });
  return [
    {
      name: "to a pod of the node",
      ends: [
        { ...fromA, peer: "podB" },
        { pod: "podB", direction: "ingress", peer: "podA" },
      ],
      from: "podA",
      to: "podB",
      forth: (t) => podSends(t, podB[f], "forward_local"),
      back: (t) => ({
        program: "from_pod",
        frame: frame(podB[f], podA[f], t, { srcMac: podB.mac }),
        metric: "forward_local",
      }),
    },
    {
      name: "to another node",
      ends: [{ ...fromA, peer: "remote" }],
      from: "podA",
      to: "remote",
      forth: (t) => podSends(t, remote[f], "forward_tunnel"),
      back: tunnelled,
    },
    {
      name: "from another node",
      ends: [{ ...toA, peer: "remote" }],
      from: "remote",
      to: "podA",
      forth: tunnelled,
      back: (t) => podSends(t, remote[f], "forward_tunnel"),
    },
    {
      name: "from the node",
      ends: [{ ...toA, peer: "node" }],
      from: "node",
      to: "podA",
      forth: (t) => ({ program: "from_host", frame: frame(node[f], podA[f], t, TWILL1), metric: "forward_local" }),
      back: (t) => podSends(t, node[f], "forward_stack"),
    },
  ];
}

/** Lets the packet pass as in life. */
export function step(plane: Plane, s: Step): Ran {
  return plane.run(s.program, s.frame, s.options);
}
