/** Every kind of traffic on every way: allowed, denied by each end, and judged anew when rules change under a flow. */

import assert from "node:assert/strict";
import { Direction } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { BANK, type Plane } from "./plane.ts";
import {
  allowed,
  always,
  bothFamilies,
  denied,
  type End,
  type Kind,
  kinds,
  onPort,
  rule,
  type Step,
  step,
  type Way,
  WHO,
  type Word,
  ways,
} from "./policy-way.ts";

/** Rules that let the kind pass at that end, and nothing else. */
function permit(plane: Plane, end: End, kind: Kind, number: number): void {
  const rows = [always(denied(number + 1)), onPort(kind.protocol, kind.port, allowed(number))];
  rule(plane, end.pod, end.direction, { rows });
}

function forbid(plane: Plane, end: End, number: number): void {
  rule(plane, end.pod, end.direction, { rows: [always(denied(number))] });
}

/** Each end lets the kind pass in the flow's direction; nothing may be begun in the other. */
function permitAll(plane: Plane, way: Way, kind: Kind): void {
  for (const end of way.ends) {
    permit(plane, end, kind, 70);
    forbid(plane, { ...end, direction: end.direction === "egress" ? "ingress" : "egress" }, 60);
  }
}

function passes(s: Step, more: readonly string[] = []): Pick<Case, "program" | "frame" | "verdict" | "metrics"> {
  const verdict = s.metric === "forward_local" ? "peer" : "redirect";
  const options = s.options === undefined ? {} : { options: s.options };
  return { program: s.program, frame: s.frame, ...options, verdict, metrics: [s.metric, ...more] };
}

function isDropped(s: Step, more: readonly string[] = []): Pick<Case, "program" | "frame" | "verdict" | "metrics"> {
  return { ...passes(s), verdict: "drop", metrics: [...more, "drop_policy"] };
}

const flowsOf = (plane: Plane) => [...plane.flows(), ...plane.flows("ct_other")];

function casesOfEnd(f: Word, way: Way, kind: Kind, end: End): Case[] {
  const [forth, back] = [way.forth(kind.first), way.back(kind.answer)];
  const title = `${f}: ${kind.name} ${way.name}, ${end.direction} of ${end.pod}`;
  const direction = end.direction === "egress" ? Direction.egress : Direction.ingress;
  const begun = (plane: Plane) => {
    permitAll(plane, way, kind);
    step(plane, forth);
    step(plane, back);
  };
  const bothWays = [
    ["", forth],
    [", by what answers", back],
  ] as const;
  return [
    {
      name: `${title}: denied, told, and no flow`,
      ...isDropped(forth),
      before: (plane) => {
        permitAll(plane, way, kind);
        forbid(plane, end, 80);
      },
      check: (_, __, plane, [e]) => {
        assert.deepEqual(
          [e?.direction, e?.isAllowed, e?.rule, e?.srcIdentity, e?.dstIdentity, e?.bank],
          [direction, 0, 80, WHO[way.from], WHO[way.to], BANK],
        );
        assert.deepEqual(flowsOf(plane), []);
        assert.equal(plane.hits().get(80), 1);
      },
    },
    {
      name: `${title}: another port's rule does not admit it`,
      ...isDropped(forth),
      before: (plane) => {
        permitAll(plane, way, kind);
        permit(plane, end, { ...kind, port: kind.port ^ 1 }, 80);
      },
    },
    {
      name: `${title}: another protocol's rule does not admit it`,
      ...isDropped(forth),
      before: (plane) => {
        permitAll(plane, way, kind);
        permit(plane, end, { ...kind, protocol: kind.protocol ^ 1 }, 80);
      },
    },
    ...bothWays.flatMap(([how, s]): Case[] => [
      {
        name: `${title}: a flow whose rule is gone ends with the next packet${how}`,
        ...isDropped(s, ["policy_rejudged"]),
        before: (plane) => {
          begun(plane);
          forbid(plane, end, 80);
        },
        check: (_, __, plane) => {
          assert.equal(flowsOf(plane).length, 1, "it is kept, to be asked about again");
          assert.deepEqual(step(plane, s).metrics, ["policy_rejudged", "drop_policy"]);
        },
      },
      {
        name: `${title}: a flow goes on under another rule that admits it${how}`,
        ...passes(s, ["policy_rejudged"]),
        before: (plane) => {
          begun(plane);
          permit(plane, end, kind, 80);
        },
        check: (_, __, plane) => {
          const [flow] = flowsOf(plane);
          assert.equal(end.direction === "egress" ? flow?.entry.egressRule : flow?.entry.ingressRule, 80);
          assert.deepEqual(step(plane, s).metrics, [s.metric], "judged once");
        },
      },
      {
        name: `${title}: a flow that was denied goes on when its rule is back${how}`,
        ...passes(s, ["policy_rejudged"]),
        before: (plane) => {
          begun(plane);
          forbid(plane, end, 80);
          step(plane, s);
          permit(plane, end, kind, 90);
        },
      },
    ]),
  ];
}

function casesOf(f: Word, way: Way, kind: Kind): Case[] {
  const [forth, back] = [way.forth(kind.first), way.back(kind.answer)];
  const title = `${f}: ${kind.name} ${way.name}`;
  return [
    {
      name: `${title}: allowed, and the flow knows by what`,
      ...passes(forth, ["ct_created"]),
      before: (plane) => permitAll(plane, way, kind),
      check: (_, __, plane) => {
        const [flow] = flowsOf(plane);
        const rules = [flow?.entry.egressRule, flow?.entry.ingressRule];
        const asked = (d: End["direction"]) => way.ends.some((e) => e.direction === d);
        assert.deepEqual(rules, [asked("egress") ? 70 : 0, asked("ingress") ? 70 : 0]);
        assert.equal(flow?.entry.judged, plane.policyGeneration);
        assert.equal(flow?.entry.asked, kind.port);
      },
    },
    {
      name: `${title}: what answers follows its flow, though nothing may be begun that way`,
      ...passes(back),
      before: (plane) => {
        permitAll(plane, way, kind);
        step(plane, forth);
      },
    },
    {
      name: `${title}: the same packet without its flow is denied`,
      ...isDropped(back),
      before: (plane) => permitAll(plane, way, kind),
    },
    ...way.ends.flatMap((end) => casesOfEnd(f, way, kind, end)),
  ];
}

export const POLICY_WAYS_CASES: readonly Case[] = bothFamilies.flatMap((f) =>
  ways(f).flatMap((way) => kinds(f).flatMap((kind) => casesOf(f, way, kind))),
);
