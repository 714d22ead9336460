/** Every branch of every program, packet by packet, through BPF_PROG_TEST_RUN. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { METRIC_NAMES } from "../../src/net/gen/bpf-maps.ts";
import { type Case, runCase } from "./case.ts";
import { frame, TCP_FLAG, tcp, udp } from "./frames.ts";
import { FROM_HOST_CASES } from "./from-host.cases.ts";
import { FROM_POD_CASES } from "./from-pod.cases.ts";
import { FROM_POD_PARTS_CASES } from "./from-pod-parts.cases.ts";
import { FROM_TUNNEL_CASES } from "./from-tunnel.cases.ts";
import { GENERATION_CASES } from "./generation.cases.ts";
import { HOST_CASES } from "./host.cases.ts";
import { HOST_PARTS_CASES } from "./host-parts.cases.ts";
import { HOST_PORT_CASES } from "./host-port.cases.ts";
import { HOST_PORT_PARTS_CASES } from "./host-port-parts.cases.ts";
import { hostRule } from "./host-way.ts";
import { enterEmptyNetns, makeUnderlay, NODE } from "./node.ts";
import { Plane, whyNot } from "./plane.ts";
import { POLICY_CASES } from "./policy.cases.ts";
import { POLICY_PARTS_CASES } from "./policy-parts.cases.ts";
import { allowed, always, denied, rule } from "./policy-way.ts";
import { POLICY_WAYS_CASES } from "./policy-ways.cases.ts";
import { POLICY_WIRE_CASES } from "./policy-wire.cases.ts";
import { REFUSAL_CASES } from "./refusals.cases.ts";
import { REFUSED, REJECT_CASES, refuseAll } from "./reject.cases.ts";
import { SERVICE_CASES } from "./service.cases.ts";
import { SERVICE_ANSWER_CASES } from "./service-answers.cases.ts";
import { SERVICE_CHOICE_CASES } from "./service-choice.cases.ts";
import { SERVICE_DSR_CASES } from "./service-dsr.cases.ts";
import { CLIENT, FRONT, flowsText, putService, SERVICE } from "./service-way.ts";
import { SERVICE_WIRE_CASES } from "./service-wire.cases.ts";
import { SERVICE_WIRE_PARTS_CASES } from "./service-wire-parts.cases.ts";
import { SHAPE_CASES } from "./shape.cases.ts";
import { SHORTCUT_CASES } from "./shortcut.cases.ts";
import { TCP_STATE_CASES } from "./tcp-state.cases.ts";
import { tickNow, waitForTick } from "./ticks.ts";
import { WIRE_CASES } from "./wire.cases.ts";
import { WIRE_PARTS_CASES } from "./wire-parts.cases.ts";

const GROUPS: Readonly<Record<string, readonly Case[]>> = {
  "from_pod forwards": FROM_POD_CASES,
  "from_pod and parts of packets": FROM_POD_PARTS_CASES,
  "from_pod refuses and answers": REFUSAL_CASES,
  "TCP's states": TCP_STATE_CASES,
  from_host: FROM_HOST_CASES,
  from_tunnel: FROM_TUNNEL_CASES,
  "to_wire and from_wire": WIRE_CASES,
  "to_wire and from_wire: parts of packets, and ends of flows": WIRE_PARTS_CASES,
  "past the tunnel's device": SHORTCUT_CASES,
  "what a flow remembers of its pods": GENERATION_CASES,
  "policy's tables": POLICY_CASES,
  "policy on every way": POLICY_WAYS_CASES,
  "policy and what belongs to a flow": POLICY_PARTS_CASES,
  "policy past the wire": POLICY_WIRE_CASES,
  "policy of the node itself": HOST_CASES,
  "policy of the node itself and what belongs to it": HOST_PARTS_CASES,
  "what is denied is answered": REJECT_CASES,
  "limited pods": SHAPE_CASES,
  "services asked for by pods": SERVICE_CASES,
  "services asked for: which backend": SERVICE_CHOICE_CASES,
  "services asked for: what becomes of it": SERVICE_ANSWER_CASES,
  "services asked for from the wire": SERVICE_WIRE_CASES,
  "services asked for from the wire: what belongs to it": SERVICE_WIRE_PARTS_CASES,
  "services asked for from the wire: backends that answer themselves": SERVICE_DSR_CASES,
  "host ports": HOST_PORT_CASES,
  "host ports and what belongs to them": HOST_PORT_PARTS_CASES,
};

const { podA, podB, outside } = NODE;

describe("programs", { skip: whyNot() }, () => {
  let plane: Plane;
  let small: Plane;
  const seen = new Set<string>();

  before(() => {
    enterEmptyNetns();
    makeUnderlay();
    plane = new Plane();
    small = new Plane({ ct_tcp: 1, ct_other: 1, nat: 1, policy_hits: 1, service_flows: 1, events: 4096 });
  });
  after(() => {
    plane.close();
    small.close();
  });

  const run = (on: Plane, c: Case) => {
    for (const metric of runCase(on, c).metrics) seen.add(metric);
  };

  for (const [group, cases] of Object.entries(GROUPS)) {
    describe(group, () => {
      it("has cases", () => assert.ok(cases.length > 5));
      for (const c of cases) it(c.name, () => run(plane, c));
    });
  }

  describe("maps that are full", () => {
    for (const [protocol, transport, other] of [
      ["TCP", tcp(1, 2), tcp(3, 4)],
      ["UDP", udp(1, 2), udp(3, 4)],
    ] as const) {
      it(`a new flow of ${protocol} is dropped, an old one goes on`, () => {
        run(small, {
          name: "",
          program: "from_pod",
          before: (on) => on.run("from_pod", frame(podA.v4, podB.v4, transport)),
          frame: frame(podA.v4, podB.v4, other),
          verdict: "drop",
          metrics: ["drop_ct_full"],
        });
        assert.deepEqual(small.run("from_pod", frame(podA.v4, podB.v4, transport)).metrics, ["forward_local"]);
      });
    }

    it("a flow of the node's own passes all the same where policy allows it, and is counted", () => {
      run(small, {
        name: "",
        program: "from_wire",
        before: (on) => {
          hostRule(on, "ingress", { rows: [always(allowed(1))] });
          on.run("from_wire", frame(outside.v4, NODE.node.v4, tcp(1, 2, { flags: TCP_FLAG.syn })));
        },
        frame: frame(outside.v4, NODE.node.v4, tcp(3, 4, { flags: TCP_FLAG.syn })),
        verdict: "next",
        metrics: ["host_untracked"],
      });
    });

    it("a translation that has no room is dropped, and leaves nothing of it behind", () => {
      run(small, {
        name: "",
        program: "to_wire",
        before: (on) => on.run("from_pod", frame(podA.v4, outside.v4, udp(1, 2))),
        frame: frame(podA.v4, outside.v4, udp(1, 2)),
        verdict: "drop",
        metrics: ["drop_nat_full"],
      });
      assert.deepEqual(small.translations(), []);
    });

    it("what asks for a service is dropped where there is no room for both directions, and leaves neither", () => {
      run(small, {
        name: "",
        program: "from_pod",
        before: (on) => putService(on, { addr: SERVICE.v4, inside: [{ addr: podB.v4 }] }),
        frame: frame(podA.v4, SERVICE.v4, udp(CLIENT, FRONT)),
        verdict: "drop",
        metrics: ["drop_service_full"],
      });
      assert.deepEqual(flowsText(small), []);
    });

    it("a verdict whose rule has no room to be counted stands, and is counted as such", () => {
      run(small, {
        name: "",
        program: "from_pod",
        before: (on) => {
          rule(on, "podA", "egress", { rows: [always(allowed(1))] });
          rule(on, "podB", "ingress", { rows: [always(denied(2))] });
        },
        frame: frame(podA.v4, podB.v4, udp(1, 2)),
        verdict: "drop",
        metrics: ["policy_hits_full", "drop_policy"],
      });
      assert.deepEqual([...small.hits()], [[1, 1]]);
    });

    it("an event that has no room is counted as lost, exactly", () => {
      small.setUp();
      small.events();
      const lost = () => small.counters().get(15) ?? 0n;
      const before = lost();
      const runs = 200;
      for (let i = 0; i < runs; i++) small.runQuick("from_pod", frame(outside.v4, podB.v4, udp(1, 2)));
      if (lost() > before) seen.add("event_lost");
      assert.ok(lost() > before, "4096 bytes do not hold 200 events");
      assert.equal(BigInt(small.events().length) + lost() - before, BigInt(runs));
    });
  });

  it("so many answers in a tick and no more, and all in the next", () => {
    for (;;) {
      waitForTick();
      const tick = tickNow();
      plane.setUp();
      refuseAll(plane);
      const isAnswered = () => plane.runQuick("from_pod", REFUSED).verdict === "redirect";
      let answered = 0;
      while (isAnswered()) answered++;
      const { metrics } = plane.run("from_pod", REFUSED);
      plane.events();
      if (tickNow() !== tick) continue;
      assert.equal(answered, 256);
      assert.deepEqual(metrics, ["reject_limited", "drop_policy"]);
      for (const metric of metrics) seen.add(metric);
      while (tickNow() === tick);
      waitForTick();
      assert.ok(isAnswered());
      return;
    }
  });

  it("every metric and every reason was brought about by some case", () => {
    const missing = [...METRIC_NAMES.values()].filter((name) => !seen.has(name));
    assert.deepEqual(missing, []);
  });
});
