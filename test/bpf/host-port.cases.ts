/** Ports of the node that lead to its pods: asked for by pods here and elsewhere, from the wire, and what answers. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { PROTO, udp } from "./frames.ts";
import { ANY, asks, back, close, LIMITED, leads, onwards, open, PORT, question, there, WAYS } from "./host-port-way.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { always, denied, onPort, rule } from "./policy-way.ts";
import { BACK, CLIENT, flowsText, KINDS } from "./service-way.ts";
import { bothFamilies } from "./wire-way.ts";

const { podA, podB, podC, node, second } = NODE;

export const HOST_PORT_CASES: readonly Case[] = bothFamilies.flatMap((f) =>
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
