/** Policy of the node itself: every kind of traffic on every way of its own, what is never judged, and what is off. */

import assert from "node:assert/strict";
import { CtFlag, Direction } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { frame, TCP_FLAG, tcp } from "./frames.ts";
import { arrives, closeAll, DEVICE, type HostWay, hostRule, hostWays, leaves, SYN } from "./host-way.ts";
import { NODE } from "./node.ts";
import { type Plane, text } from "./plane.ts";
import {
  allowed,
  always,
  bothFamilies,
  denied,
  type Kind,
  kinds,
  onPort,
  rule,
  step,
  TWILL1,
  WHO,
  type Word,
} from "./policy-way.ts";
import { MACS } from "./wire-way.ts";

const { node, outside, podA, podB, router } = NODE;

/** The node's rules: that kind and nothing else, in the direction that the way goes; nothing at all in the other. */
function onlyThat(plane: Plane, way: HostWay, kind: Kind, verdict = allowed(3)): void {
  hostRule(plane, way.direction === "ingress" ? "egress" : "ingress", { rows: [always(denied(1))] });
  const only = kind.port === 0 ? onPort(kind.protocol, 0, verdict, 0) : onPort(kind.protocol, kind.port, verdict);
  hostRule(plane, way.direction, { rows: [always(denied(2)), only] });
}

/** Two packets of GRE look alike whoever sends them: where nothing tells a question from an answer, all are questions. */
const passes = (way: HostWay, metric: string) => ({
  verdict: metric === "forward_local" ? ("peer" as const) : metric === "" ? ("next" as const) : ("redirect" as const),
  metrics: [...(metric === "" ? [] : [metric])],
  way,
});

function judged(f: Word, way: HostWay, kind: Kind): Case[] {
  const forth = way.forth(kind.first);
  const back = way.back(kind.answer);
  const begins = way.isWire ? ["ct_created"] : [forth.metric, "ct_created"];
  /** The node's own echo is given an identifier of its own towards the wire, like a masqueraded one. */
  const isOwnEcho = way.isWire && way.direction === "egress" && kind.name === "an echo";
  const translated = isOwnEcho ? ["nat_out", "nat_created"] : [];
  const answered = isOwnEcho ? ["nat_in"] : [];
  const order = (metrics: readonly string[]) => [...metrics].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const name = `${f}: ${kind.name} ${way.name}`;
  return [
    {
      name: `${name}: what a rule allows passes`,
      program: forth.program,
      frame: forth.frame,
      ...(forth.options && { options: forth.options }),
      before: (plane) => onlyThat(plane, way, kind),
      verdict: passes(way, forth.metric).verdict,
      metrics: order([...begins, ...translated]),
      check: (_, __, plane) => {
        const [{ entry } = assert.fail("no flow")] = [...plane.flows(), ...plane.flows("ct_other")];
        const rules = way.direction === "ingress" ? [0, 3] : [3, 0];
        assert.deepEqual([entry.egressRule, entry.ingressRule, entry.judged], [...rules, plane.policyGeneration]);
        assert.equal((entry.flags & CtFlag.host) !== 0, way.isWire);
        assert.deepEqual([...plane.hits()], [[3, 1]]);
      },
    },
    {
      name: `${name}: what no rule allows does not, and says whose`,
      program: forth.program,
      frame: forth.frame,
      ...(forth.options && { options: forth.options }),
      before: (plane) => onlyThat(plane, way, kind, denied(4)),
      verdict: "drop",
      metrics: ["drop_policy"],
      check: (_, __, plane, [e]) => {
        assert.ok(e !== undefined);
        const direction = way.direction === "ingress" ? Direction.ingress : Direction.egress;
        assert.deepEqual(
          [e.rule, e.direction, e.srcIdentity, e.dstIdentity],
          [4, direction, WHO[way.from], WHO[way.to]],
        );
        assert.deepEqual([text(e.src), text(e.dst)], [NODE[way.from][f], NODE[way.to][f]]);
        assert.deepEqual([...plane.hits()], [[4, 1]]);
        assert.equal(plane.flows().length + plane.flows("ct_other").length, 0);
      },
    },
    {
      name: `${name}: what answers it needs no rule`,
      program: back.program,
      frame: back.frame,
      ...(back.options && { options: back.options }),
      before: (plane) => {
        onlyThat(plane, way, kind);
        step(plane, forth);
      },
      verdict: passes(way, back.metric).verdict,
      metrics: order([...(back.metric === "" ? [] : [back.metric]), ...answered]),
    },
    {
      name: `${name}: what answers it does not pass any more when the rule is gone`,
      program: back.program,
      frame: back.frame,
      ...(back.options && { options: back.options }),
      before: (plane) => {
        onlyThat(plane, way, kind);
        step(plane, forth);
        onlyThat(plane, way, kind, denied(4));
      },
      verdict: "drop",
      metrics: order([...answered, "policy_rejudged", "drop_policy"]),
      isDroppedLate: isOwnEcho,
      check: (_, __, ___, [e]) => assert.equal(e?.rule, 4),
    },
    {
      name: `${name}: a rule that comes opens what was denied`,
      program: forth.program,
      frame: forth.frame,
      ...(forth.options && { options: forth.options }),
      before: (plane) => {
        onlyThat(plane, way, kind, denied(4));
        step(plane, forth);
        onlyThat(plane, way, kind);
      },
      verdict: passes(way, forth.metric).verdict,
      metrics: order([...begins, ...translated]),
    },
  ];
}

/** The order of `enum metric`, of those that occur here. */
const ORDER = [
  "forward_local",
  "forward_tunnel",
  "forward_stack",
  "nat_out",
  "nat_in",
  "ct_created",
  "nat_created",
  "policy_rejudged",
  "drop_policy",
];

function peers(f: Word): Case[] {
  const onlyPodA = (plane: Plane) =>
    hostRule(plane, "ingress", { rows: [always(denied(1))], peers: { podA: [always(allowed(3))] } });
  return [
    {
      name: `${f}: one pod may reach the node`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(4000, 80, SYN)),
      before: onlyPodA,
      verdict: "redirect",
      metrics: ["forward_stack", "ct_created"],
    },
    {
      name: `${f}: and its router address`,
      program: "from_pod",
      frame: frame(podA[f], router[f], tcp(4000, 80, SYN)),
      before: onlyPodA,
      verdict: "redirect",
      metrics: ["forward_stack", "ct_created"],
    },
    {
      name: `${f}: the outside may not`,
      ...arrives(f),
      before: onlyPodA,
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: what the pod's own rules deny, the node's do not allow`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(4000, 80, SYN)),
      before: (plane) => {
        onlyPodA(plane);
        rule(plane, "podA", "egress", { rows: [always(denied(5))] });
      },
      verdict: "drop",
      metrics: ["drop_policy"],
      check: (_, __, ___, [e]) => assert.deepEqual([e?.rule, e?.direction], [5, Direction.egress]),
    },
    {
      name: `${f}: both rules are remembered`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(4000, 80, SYN)),
      before: (plane) => {
        onlyPodA(plane);
        rule(plane, "podA", "egress", { rows: [always(allowed(6))] });
      },
      verdict: "redirect",
      metrics: ["forward_stack", "ct_created"],
      check: (_, __, plane) => {
        const [flow] = plane.flows();
        assert.deepEqual([flow?.entry.egressRule, flow?.entry.ingressRule], [6, 3]);
        assert.deepEqual([flow?.entry.originIdentity, flow?.entry.replyIdentity], [WHO.podA, WHO.node]);
      },
    },
    {
      name: `${f}: pods among themselves are none of its business`,
      program: "from_pod",
      frame: frame(podA[f], podB[f], tcp(4000, 80, SYN)),
      before: closeAll,
      verdict: "peer",
      metrics: ["forward_local", "ct_created"],
    },
    {
      name: `${f}: nor are pods and the outside`,
      program: "to_wire",
      frame: frame(podA[f], outside[f], tcp(4000, 80, SYN), MACS),
      before: (plane) => {
        closeAll(plane);
        plane.run("from_pod", frame(podA[f], outside[f], tcp(4000, 80, SYN)));
      },
      verdict: "next",
      metrics: ["nat_out", "nat_created"],
    },
    {
      name: `${f}: nor is what the node only forwards`,
      ...arrives(f, tcp(4000, 80, SYN), outside[f], podA[f]),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: on its way out neither`,
      ...leaves(f, tcp(4000, 80, SYN), outside[f], f === "v4" ? "203.0.113.9" : "2001:db8:9::9"),
      before: closeAll,
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: the node reaches its own pods whatever its rules are`,
      program: "from_host",
      frame: frame(node[f], podA[f], tcp(4000, 80, SYN), TWILL1),
      before: closeAll,
      verdict: "peer",
      metrics: ["forward_local", "ct_created"],
    },
    {
      name: `${f}: and gets their answers`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(80, 4000, { flags: TCP_FLAG.syn | TCP_FLAG.ack })),
      before: (plane) => {
        closeAll(plane);
        plane.run("from_host", frame(node[f], podA[f], tcp(4000, 80, SYN), TWILL1));
      },
      verdict: "redirect",
      metrics: ["forward_stack"],
    },
  ];
}

function devices(f: Word): Case[] {
  return [
    {
      name: `${f}: a device's own rules stand in place of the others`,
      ...arrives(f),
      before: (plane) => {
        closeAll(plane);
        hostRule(plane, "ingress", { rows: [always(allowed(7))] }, DEVICE);
      },
      verdict: "next",
      metrics: ["ct_created"],
      check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.ingressRule, 7),
    },
    {
      name: `${f}: in both directions`,
      ...leaves(f),
      before: (plane) => {
        hostRule(plane, "ingress", { rows: [always(allowed(7))] });
        closeAll(plane, DEVICE);
      },
      verdict: "drop",
      metrics: ["drop_policy"],
    },
    {
      name: `${f}: another device's are not asked`,
      ...arrives(f),
      before: (plane) => closeAll(plane, DEVICE + 1),
      verdict: "next",
      metrics: ["ct_created"],
      check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.ingressRule, 0),
    },
    {
      name: `${f}: pods do not come by a device of the wire`,
      program: "from_pod",
      frame: frame(podA[f], node[f], tcp(4000, 80, SYN)),
      before: (plane) => closeAll(plane, DEVICE),
      verdict: "redirect",
      metrics: ["forward_stack", "ct_created"],
    },
  ];
}

/** See the file's comment. */
export const HOST_CASES: readonly Case[] = bothFamilies.flatMap((f) => [
  ...hostWays(f).flatMap((way) => kinds(f).flatMap((kind) => judged(f, way, kind))),
  ...peers(f),
  ...devices(f),
]);
