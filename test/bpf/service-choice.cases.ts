/** Which backend: chance, affinity, Maglev, tables that change, flows that would clash, and nobody. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import {
  CtFlag,
  encodeServiceAffinity,
  encodeServiceAffinityKey,
  encodeServiceSlotKey,
  ServiceFlag,
} from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { dissect } from "./dissect.ts";
import { frame, TCP_FLAG, tcp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import {
  ask,
  asks,
  BACK,
  backendNumber,
  CLIENT,
  FRONT,
  flowsText,
  frontendKey,
  GATEWAY,
  letPodBSend,
  NODE_PORT,
  NUMBER,
  putService,
  SERVICE,
  SYN,
} from "./service-way.ts";
import { tickNow } from "./ticks.ts";
import { bothFamilies, type Word } from "./wire-way.ts";

const { podA, podB, podC, remote, remoteNode, node, router, outside } = NODE;
const { syn, ack, rst } = TCP_FLAG;
const ZERO = { v4: "0.0.0.0", v6: "::" } as const;

const remembered = (plane: Plane, f: Word, backend: number, age: number) =>
  plane.put(
    "service_affinity",
    encodeServiceAffinityKey({ client: addr(podA[f]).bytes, service: NUMBER }),
    encodeServiceAffinity({ backend, lastSeen: Number(tickNow()) - age }),
  );

/** To whom questions from many ports go. */
function spread(plane: Plane, f: Word, ports = 60): string[] {
  return Array.from({ length: ports }, (_, i) => {
    const ran = plane.runQuick("from_pod", frame(podA[f], SERVICE[f], tcp(5000 + i, FRONT, { flags: syn })));
    return dissect(ran.frame).dst;
  });
}

const choices: Case[] = bothFamilies.flatMap((f): Case[] => {
  const two = [{ addr: podB[f] }, { addr: remote[f] }];
  const three = [...two, { addr: podC[f] }];
  const sticky = { addr: SERVICE[f], flags: ServiceFlag.affinity, affinitySeconds: 100 };
  return [
    asks(
      f,
      "chance finds every backend",
      (plane) => putService(plane, { addr: SERVICE[f], inside: [two[0] ?? { addr: "" }] }),
      {
        check: (_, __, plane) => {
          putService(plane, { addr: SERVICE[f], inside: three });
          assert.deepEqual(new Set(spread(plane, f)), new Set([podB[f], podC[f], remote[f]]));
        },
      },
    ),
    asks(
      f,
      "Maglev takes the same for the same flow, and every one for some",
      (plane) => putService(plane, { addr: SERVICE[f], inside: [two[0] ?? { addr: "" }] }),
      {
        check: (_, __, plane) => {
          putService(plane, { addr: SERVICE[f], inside: three, flags: ServiceFlag.maglev });
          const chosen = spread(plane, f);
          plane.forgetFlows();
          assert.deepEqual(spread(plane, f), chosen);
          assert.deepEqual(new Set(chosen), new Set([podB[f], podC[f], remote[f]]));
        },
      },
    ),
    asks(
      f,
      "Maglev with affinity goes by the client alone",
      (plane) => putService(plane, { addr: SERVICE[f], inside: [two[0] ?? { addr: "" }] }),
      {
        check: (_, __, plane) => {
          putService(plane, { ...sticky, inside: three, flags: ServiceFlag.maglev | ServiceFlag.affinity });
          assert.equal(new Set(spread(plane, f)).size, 1);
        },
      },
    ),
    asks(
      f,
      "who asks again gets the backend of before",
      (plane) => {
        putService(plane, { ...sticky, inside: [...two, { addr: podB[f], port: 9090 }] });
        remembered(plane, f, backendNumber(2), 90);
      },
      { check: (d) => assert.deepEqual([d.dst, d.dstPort], [podB[f], 9090]) },
    ),
    asks(f, "who asks is remembered", (plane) => putService(plane, { ...sticky, inside: [{ addr: podB[f] }] }), {
      check: (_, __, plane) => {
        putService(plane, { ...sticky, inside: [{ addr: podB[f] }, { addr: remote[f] }, { addr: podC[f] }] });
        assert.deepEqual(new Set(spread(plane, f, 20)), new Set([podB[f]]));
      },
    }),
    asks(
      f,
      "who asks too late begins anew",
      (plane) => {
        putService(plane, { ...sticky, inside: [{ addr: remote[f] }, { addr: podB[f] }] });
        remembered(plane, f, backendNumber(0), 102);
        putService(plane, { ...sticky, inside: [{ addr: podB[f] }] });
        remembered(plane, f, 999, 102);
      },
      { check: (d) => assert.equal(d.dst, podB[f]) },
    ),
    asks(
      f,
      "whose backend of before is gone gets another one",
      (plane) => {
        putService(plane, { ...sticky, inside: [{ addr: podB[f] }] });
        remembered(plane, f, 999, 1);
      },
      { check: (d) => assert.equal(d.dst, podB[f]) },
    ),
    asks(
      f,
      "whose backend of before serves others only gets another one",
      (plane) => {
        putService(plane, { ...sticky, inside: [{ addr: podB[f] }, { addr: remote[f] }] });
        putService(plane, { ...sticky, inside: [{ addr: podB[f] }] });
        remembered(plane, f, backendNumber(1), 1);
      },
      { check: (d) => assert.equal(d.dst, podB[f]) },
    ),
    asks(
      f,
      "a table of another family is of no use",
      (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f === "v4" ? "v6" : "v4"] }] }),
      {
        frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT, { flags: rst })),
        verdict: "drop",
        metrics: ["drop_no_backend"],
      },
    ),
    asks(
      f,
      "a slot that is missing is nobody's",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        plane.remove("service_slots", encodeServiceSlotKey({ set: 11, index: 0 }));
      },
      { verdict: "redirect", to: podA.ifindex, metrics: ["rejected", "drop_no_backend"] },
    ),
  ];
});

/** Where a packet that is translated would be taken for one of another flow. */
const clashes: Case[] = bothFamilies.flatMap((f): Case[] => {
  const direct = (plane: Plane) => plane.run("from_pod", frame(podA[f], podB[f], tcp(CLIENT, BACK, { flags: syn })));
  return [
    asks(
      f,
      "a connection of the same port to the backend itself leaves no room",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        direct(plane);
      },
      {
        verdict: "drop",
        metrics: ["drop_service_clash"],
        check: (_, __, plane) => assert.deepEqual(flowsText(plane), []),
      },
    ),
    asks(
      f,
      "another backend has room",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }, { addr: remote[f] }] });
        direct(plane);
      },
      { verdict: "redirect", to: NODE.tunnel, metrics: ["forward_tunnel", "ct_created", "service_forward"] },
    ),
    asks(
      f,
      "one that is closed makes room",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        direct(plane);
        plane.run("from_pod", frame(podA[f], podB[f], tcp(CLIENT, BACK, { flags: rst })));
      },
      {
        metrics: ["forward_local", "ct_reopened", "service_forward"],
        check: (_, __, plane) => assert.notEqual((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.service, 0),
      },
    ),
    asks(
      f,
      "two services of one backend cannot be asked from one port",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        putService(plane, { addr: SERVICE[f], port: 81, inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
      },
      {
        frame: frame(podA[f], SERVICE[f], tcp(CLIENT, 81, { flags: syn })),
        verdict: "drop",
        metrics: ["drop_service_clash"],
      },
    ),
    asks(
      f,
      "the backend itself cannot be asked from the port of a flow through its service",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
      },
      {
        frame: frame(podA[f], podB[f], tcp(CLIENT, BACK, { flags: syn })),
        verdict: "drop",
        metrics: ["drop_service_clash"],
      },
    ),
    asks(
      f,
      "when that flow is closed, it can",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
        ask(plane, f, tcp(CLIENT, FRONT, { flags: rst }));
      },
      {
        frame: frame(podA[f], podB[f], tcp(CLIENT, BACK, { flags: syn })),
        metrics: ["forward_local", "ct_reopened"],
        check: (_, __, plane) => assert.equal((plane.flows()[0]?.entry.flags ?? 0) & CtFlag.service, 0),
      },
    ),
    asks(
      f,
      "a connection that is closed chooses anew",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: remote[f] }] });
        ask(plane, f, SYN);
        ask(plane, f, tcp(CLIENT, FRONT, { flags: rst }));
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      },
      {
        check: (d, _, plane) => {
          assert.equal(d.dst, podB[f]);
          assert.equal(plane.serviceFlows().length, 3, "and what was left of it waits to be swept");
        },
      },
    ),
    asks(
      f,
      "one that is open keeps its backend, whatever has become of the service",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
        plane.remove("services", frontendKey({ addr: SERVICE[f] }));
      },
      { frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT)), metrics: ["forward_local", "service_forward"] },
    ),
    asks(
      f,
      "a SYN that is sent again keeps its backend",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
        putService(plane, { addr: SERVICE[f], inside: [{ addr: remote[f] }] });
      },
      { metrics: ["forward_local", "service_forward"] },
    ),
    asks(f, "what was sent before the service was there is translated from then on", (plane) => {
      ask(plane, f, SYN);
      putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
    }),
    asks(
      f,
      "a flow that had its answers elsewhere goes on there",
      (plane) => {
        ask(plane, f, SYN);
        plane.run(
          "from_host",
          frame(SERVICE[f], podA[f], tcp(FRONT, CLIENT, { flags: syn | ack }), { srcMac: GATEWAY }),
        );
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
      },
      {
        frame: frame(podA[f], SERVICE[f], tcp(CLIENT, FRONT)),
        verdict: "redirect",
        to: NODE.twill0,
        metrics: ["forward_stack"],
      },
    ),
    asks(
      f,
      "where there are no services nothing is looked for",
      (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        plane.putConfig();
      },
      { verdict: "redirect", to: NODE.twill0, metrics: ["forward_stack", "ct_created"] },
    ),
    asks(
      f,
      "another port of the service's address is the stack's",
      (plane) => putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] }),
      {
        frame: frame(podA[f], SERVICE[f], tcp(CLIENT, 82, { flags: syn })),
        verdict: "redirect",
        to: NODE.twill0,
        metrics: ["forward_stack", "ct_created"],
      },
    ),
    {
      name: `${f}: an answer whose translation is gone`,
      program: "from_pod",
      before: (plane) => {
        putService(plane, { addr: SERVICE[f], inside: [{ addr: podB[f] }] });
        ask(plane, f, SYN);
        letPodBSend(plane, f);
        plane.forget("service_flows");
      },
      frame: frame(podB[f], podA[f], tcp(BACK, CLIENT, { flags: syn | ack }), { srcMac: podB.mac }),
      verdict: "drop",
      metrics: ["drop_service_flow"],
    },
    ...[node[f], router[f], remoteNode[f], NODE.second[f]].map((to) =>
      asks(
        f,
        `the node port at ${to} is the same everywhere`,
        (plane) => putService(plane, { addr: ZERO[f], port: NODE_PORT, inside: [{ addr: podB[f] }] }),
        {
          frame: frame(podA[f], to, tcp(CLIENT, NODE_PORT, { flags: syn })),
          check: (d) => assert.deepEqual([d.dst, d.dstPort], [podB[f], BACK]),
        },
      ),
    ),
    asks(
      f,
      "a node port at somebody else's address is none",
      (plane) => putService(plane, { addr: ZERO[f], port: NODE_PORT, inside: [{ addr: podB[f] }] }),
      {
        frame: frame(podA[f], outside[f], tcp(CLIENT, NODE_PORT, { flags: syn })),
        verdict: "redirect",
        metrics: ["forward_stack", "ct_created"],
      },
    ),
  ];
});

export const SERVICE_CHOICE_CASES: readonly Case[] = [...choices, ...clashes];
