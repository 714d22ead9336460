/** How tables are asked: what is missing is closed, whose rows come first, what is told and counted. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import { Direction, HitFlag } from "../../src/net/gen/bpf-maps.ts";
import { prefix } from "../../src/net/prefix.ts";
import { classMapKey, identityMapKey, identityMapRow, POLICY_MAPS } from "../../src/plan/policy-rows.ts";
import type { Case } from "./case.ts";
import { frame, icmp, icmp6, PROTO, payload, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { BANK, OPEN_CLASS, type Plane } from "./plane.ts";
import {
  allowed,
  always,
  bothFamilies,
  denied,
  onPort,
  rule,
  TWILL1,
  VIA_NODE2,
  WHO,
  type Word,
} from "./policy-way.ts";

const { podA, podB, remote, node, outside } = NODE;
const SYN = { flags: TCP_FLAG.syn };
const CLOSED = { ingressClass: 0, egressClass: 0 };

type Told = Pick<Case, "verdict" | "metrics">;
const PASSES: Told = { verdict: "peer", metrics: ["forward_local", "ct_created"] };
const DROPPED: Told = { verdict: "drop", metrics: ["drop_policy"] };

/** A first packet of pod A to pod B after something was done to the tables. */
function asked(f: Word, name: string, told: Told, before: (plane: Plane) => void, t = udp(4000, 80)): Case {
  return {
    name: `${f}: ${name}`,
    program: "from_pod",
    before,
    frame: frame(podA[f], podB[f], t),
    ...told,
  };
}

const closed: Case[] = bothFamilies.flatMap((f) => [
  asked(f, "an endpoint without a class is closed to what it sends", DROPPED, (plane) =>
    plane.putEndpoint(podA[f], podA, { ...CLOSED, ingressClass: OPEN_CLASS }),
  ),
  asked(f, "an endpoint without a class is closed to what it gets", DROPPED, (plane) =>
    plane.putEndpoint(podB[f], podB, { ...CLOSED, egressClass: OPEN_CLASS }),
  ),
  {
    ...asked(f, "a class that is gone is closed", DROPPED, (plane) =>
      plane.remove(POLICY_MAPS.classes, classMapKey(OPEN_CLASS)),
    ),
    check: (_, __, ___, [e]) => assert.deepEqual([e?.direction, e?.rule, e?.isAllowed], [Direction.egress, 0, 0]),
  },
  asked(f, "an address that the bank does not know is denied", DROPPED, (plane) => {
    for (const all of ["0.0.0.0/0", "::/0"]) plane.remove(POLICY_MAPS.identities, identityMapKey(BANK, prefix(all)));
  }),
  asked(f, "a set without an answer denies", DROPPED, (plane) => rule(plane, "podA", "egress", { rows: [] })),
  asked(f, "identities of another bank do not count", DROPPED, (plane) => {
    rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { podB: [always(denied(2))] } });
    const bits = f === "v4" ? 32 : 128;
    const other = { prefix: prefix(`${podB[f]}/${bits}`), identity: WHO.remote };
    plane.putRows(POLICY_MAPS.identities, [identityMapRow(BANK + 1, other)]);
  }),
  {
    ...asked(f, "a pod reaches itself, whatever its rules are", PASSES, (plane) =>
      plane.putEndpoint(podA[f], podA, CLOSED),
    ),
    frame: frame(podA[f], podA[f], udp(4000, 80)),
  },
]);

const order: Case[] = bothFamilies.flatMap((f) => {
  const other = f === "v4" ? "v6" : "v4";
  const rowsOf = (own: "rows" | "rows6") => ({
    rows: [always(own === "rows" ? allowed(1) : denied(2))],
    rows6: [always(own === "rows6" ? allowed(1) : denied(2))],
  });
  return [
    asked(f, "a peer's own rows come before the class's", DROPPED, (plane) =>
      rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { podB: [always(denied(2))] } }),
    ),
    asked(f, "and admit what the class does not", PASSES, (plane) =>
      rule(plane, "podA", "egress", { rows: [always(denied(1))], peers: { podB: [always(allowed(2))] } }),
    ),
    asked(f, "the class's own rows are those of the family", PASSES, (plane) =>
      rule(plane, "podA", "egress", rowsOf(f === "v4" ? "rows" : "rows6")),
    ),
    asked(f, `not those of ${other}`, DROPPED, (plane) =>
      rule(plane, "podA", "egress", rowsOf(f === "v4" ? "rows6" : "rows")),
    ),
    asked(f, "a port comes before its range, and that before its protocol", PASSES, (plane) =>
      rule(plane, "podA", "egress", {
        rows: [
          always(denied(1)),
          { ...onPort(PROTO.udp, 0, denied(2)), prefixLength: 48 },
          onPort(PROTO.udp, 64, denied(3), 10),
          onPort(PROTO.udp, 80, allowed(4)),
        ],
      }),
    ),
    {
      ...asked(f, "a range ends where its bits end", DROPPED, (plane) =>
        rule(plane, "podA", "egress", { rows: [always(denied(1)), onPort(PROTO.udp, 64, allowed(3), 10)] }),
      ),
      frame: frame(podA[f], podB[f], udp(4000, 128)),
    },
    {
      ...asked(f, "and holds all before", PASSES, (plane) =>
        rule(plane, "podA", "egress", { rows: [always(denied(1)), onPort(PROTO.udp, 64, allowed(3), 10)] }),
      ),
      frame: frame(podA[f], podB[f], udp(4000, 127)),
    },
    {
      ...asked(f, "a code of ICMP is asked about, too", DROPPED, (plane) =>
        rule(plane, "podA", "egress", {
          rows: [always(denied(1)), onPort(f === "v4" ? PROTO.icmp : PROTO.icmp6, 42 << 8, allowed(2))],
        }),
      ),
      frame: frame(podA[f], podB[f], (f === "v4" ? icmp : icmp6)(f === "v4" ? 42 : 160, 1, [0, 1, 0, 1], payload(8))),
    },
    {
      ...asked(f, "ICMP of the other family is a protocol like any other", PASSES, (plane) =>
        rule(plane, "podA", "egress", {
          rows: [always(denied(1)), onPort(f === "v4" ? PROTO.icmp6 : PROTO.icmp, 0, allowed(2))],
        }),
      ),
      frame: frame(podA[f], podB[f], (f === "v4" ? icmp6 : icmp)(f === "v4" ? 128 : 8, 0, [0, 1, 0, 1], payload(8))),
      isSumless: true,
    },
    {
      ...asked(f, "of two ends that deny the sender's speaks", DROPPED, (plane) => {
        rule(plane, "podA", "egress", { rows: [always(denied(1))] });
        rule(plane, "podB", "ingress", { rows: [always(denied(2))] });
      }),
      check: (_, __, plane, [e]) => {
        assert.deepEqual([e?.direction, e?.rule], [Direction.egress, 1]);
        assert.deepEqual([...plane.hits()], [[1, 1]]);
      },
    },
  ];
});

const told: Case[] = bothFamilies.flatMap((f) => [
  {
    ...asked(
      f,
      "a rule that logs is told of, once for the flow",
      {
        ...PASSES,
        metrics: ["forward_local", "ct_created", "policy_logged"],
      },
      (plane) => rule(plane, "podA", "egress", { rows: [always(allowed(5, { logRule: 4 }))] }),
    ),
    check: (_, __, plane, [e]) => {
      assert.deepEqual([e?.rule, e?.isAllowed, e?.direction], [4, 1, Direction.egress]);
      assert.deepEqual([e?.srcIdentity, e?.dstIdentity], [WHO.podA, WHO.podB]);
      assert.deepEqual(plane.run("from_pod", frame(podA[f], podB[f], udp(4000, 80))).metrics, ["forward_local"]);
    },
  },
  {
    ...asked(
      f,
      "a rule that logs what is denied",
      {
        verdict: "drop",
        metrics: ["policy_logged", "drop_policy"],
      },
      (plane) => rule(plane, "podB", "ingress", { rows: [always(denied(5, { logRule: 4 }))] }),
    ),
    check: (_, __, ___, events) =>
      assert.deepEqual(
        events.map((e) => [e.rule, e.isAllowed]),
        [
          [4, 0],
          [5, 0],
        ],
      ),
  },
  {
    ...asked(
      f,
      "what staged policies would deny passes, and is told",
      {
        ...PASSES,
        metrics: ["forward_local", "ct_created", "policy_staged"],
      },
      (plane) =>
        rule(plane, "podA", "egress", { rows: [always(allowed(5, { staged: { isAllowed: false, rule: 6 } }))] }),
    ),
    check: (_, __, plane, [e]) => {
      assert.deepEqual([e?.rule, e?.isAllowed], [6, 0]);
      assert.deepEqual(
        new Map([...plane.hits()]),
        new Map([
          [5, 1],
          [6 | HitFlag.stagedHit, 1],
        ]),
      );
    },
  },
  {
    ...asked(
      f,
      "what staged policies would allow is dropped, and told",
      {
        verdict: "drop",
        metrics: ["policy_staged", "drop_policy"],
      },
      (plane) =>
        rule(plane, "podB", "ingress", { rows: [always(denied(5, { staged: { isAllowed: true, rule: 6 } }))] }),
    ),
    check: (_, __, ___, [e]) => assert.deepEqual([e?.rule, e?.isAllowed, e?.direction], [6, 1, Direction.ingress]),
  },
  {
    ...asked(f, "every denied packet counts for its rule, a flow's allowed ones once", DROPPED, (plane) => {
      rule(plane, "podA", "egress", {
        rows: [onPort(PROTO.udp, 80, denied(5)), onPort(PROTO.tcp, 80, allowed(6))],
      });
      for (const t of [udp(4000, 80), udp(4000, 80), tcp(1, 80, SYN), tcp(1, 80)])
        plane.run("from_pod", frame(podA[f], podB[f], t));
    }),
    check: (_, __, plane) =>
      assert.deepEqual(
        plane.hits(),
        new Map([
          [5, 3],
          [6, 1],
        ]),
      ),
  },
]);

/** What the stack sends to a pod, and what it has made of a pod's packet. */
const fromStack: Case[] = bothFamilies.flatMap((f): Case[] => [
  {
    name: `${f}: what the stack forwards is judged by who it says it is from`,
    program: "from_host",
    before: (plane) =>
      rule(plane, "podA", "ingress", { rows: [always(allowed(1))], peers: { outside: [always(denied(2))] } }),
    frame: frame(outside[f], podA[f], udp(4000, 80), TWILL1),
    ...DROPPED,
    check: (_, __, ___, [e]) => assert.deepEqual([e?.srcIdentity, e?.dstIdentity, e?.rule], [WHO.outside, WHO.podA, 2]),
  },
  ...(
    [
      ["a pod of the node", podB[f], "podB"],
      ["a pod of another node", remote[f], "remote"],
    ] as const
  ).map(
    ([where, to, who]): Case => ({
      name: `${f}: what the stack has translated to ${where} is asked of its sender again`,
      program: "from_host",
      before: (plane) => {
        rule(plane, "podA", "egress", { rows: [always(allowed(1))], peers: { [who]: [always(denied(2))] } });
        const service = f === "v4" ? "10.96.0.1" : "fd00:96::1";
        assert.deepEqual(plane.run("from_pod", frame(podA[f], service, udp(4000, 80))).verdict, "redirect");
      },
      frame: frame(podA[f], to, udp(4000, 80), TWILL1),
      ...DROPPED,
      check: (_, __, ___, [e]) => assert.deepEqual([e?.direction, e?.rule], [Direction.egress, 2]),
    }),
  ),
  {
    name: `${f}: a packet of the node to another node's pod is nobody's here to judge`,
    program: "from_host",
    before: (plane) => {
      for (const all of ["0.0.0.0/0", "::/0"]) plane.remove(POLICY_MAPS.identities, identityMapKey(BANK, prefix(all)));
    },
    frame: frame(node[f], remote[f], udp(4000, 80), TWILL1),
    verdict: "redirect",
    metrics: ["forward_tunnel", "ct_created"],
  },
  {
    name: `${f}: to the node from another node's pod the same`,
    program: "from_tunnel",
    before: (plane) => plane.remove("endpoints", addr(podA[f]).bytes),
    frame: frame(remote[f], node[f], udp(4000, 80)),
    options: VIA_NODE2,
    verdict: "redirect",
    metrics: ["forward_stack", "ct_created"],
  },
]);

export const POLICY_CASES: readonly Case[] = [...closed, ...order, ...told, ...fromStack];
