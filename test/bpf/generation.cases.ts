/** Flows remember where their pods are; a change of the endpoints that is announced makes them look again. */

import assert from "node:assert/strict";
import { addr } from "../../src/net/addr.ts";
import type { Case } from "./case.ts";
import { frame, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { TWILL1 } from "./policy-way.ts";

const { podA, podB, remote, outside } = NODE;
/** No rules, which denies. */
const CLOSED_CLASS = 0;
const VIA_NODE2 = { tunnel: { from: NODE.remoteNode.v4 } };
const bothFamilies = ["v4", "v6"] as const;

export const GENERATION_CASES: readonly Case[] = bothFamilies.flatMap((f): Case[] => {
  const segment = frame(podA[f], podB[f], tcp(4000, 80));
  const known = (plane: Plane) => {
    for (let i = 0; i < 2; i++) plane.run("from_pod", segment);
  };
  const moved = { ...podB, ifindex: 777, mac: "0a:58:00:00:00:77" };
  return [
    {
      name: `${f}: a pod that has moved to another link is found there`,
      program: "from_pod",
      before: (plane) => {
        known(plane);
        plane.putEndpoint(podB[f], moved);
        plane.announceEndpoints();
      },
      frame: segment,
      verdict: "peer",
      to: moved.ifindex,
      metrics: ["forward_local"],
      check: (out) => assert.equal(out.dstMac, moved.mac),
    },
    {
      name: `${f}: a pod that is gone is not sent to`,
      program: "from_pod",
      before: (plane) => {
        known(plane);
        plane.remove("endpoints", addr(podB[f]).bytes);
        plane.announceEndpoints();
      },
      frame: segment,
      verdict: "drop",
      metrics: ["drop_no_endpoint"],
    },
    ...["from_pod" as const, "from_host" as const].map((program): Case => {
      const sent = program === "from_pod" ? segment : frame(NODE.node[f], podB[f], tcp(4000, 80), TWILL1);
      return {
        name: `${f}: ${program}: who comes to an address is asked by flows to it before the change is announced`,
        program,
        before: (plane) => {
          for (let i = 0; i < 2; i++) plane.run(program, sent);
          plane.remove("endpoints", addr(podB[f]).bytes);
          plane.announceEndpoints();
          plane.announcePolicy();
          // Nobody is there who could say no.
          plane.run(program, sent);
          plane.putEndpoint(podB[f], moved, { ingressClass: CLOSED_CLASS, egressClass: CLOSED_CLASS });
        },
        frame: sent,
        verdict: "drop",
        metrics: ["drop_policy"],
      };
    }),
    {
      // What the flow remembers of the sender is valid until its going is announced; policy cannot ask for it any more.
      name: `${f}: a pod that goes while its packet is on its way has no say, and sends nothing more`,
      program: "from_pod",
      before: (plane) => {
        known(plane);
        plane.remove("endpoints", addr(podA[f]).bytes);
        plane.announcePolicy();
      },
      frame: segment,
      verdict: "drop",
      metrics: ["policy_rejudged", "drop_no_endpoint"],
    },
    {
      name: `${f}: a pod that goes while the stack has its packet sends nothing more, and nothing is kept of what was said`,
      program: "from_host",
      before: (plane) => {
        known(plane);
        plane.remove("endpoints", addr(podA[f]).bytes);
        plane.announcePolicy();
      },
      frame: frame(podA[f], podB[f], tcp(4000, 80), TWILL1),
      verdict: "drop",
      metrics: ["policy_rejudged", "drop_no_endpoint"],
      check: (_, __, plane) => assert.equal(plane.flows()[0]?.entry.judged, 0),
    },
    {
      name: `${f}: what the stack has led elsewhere goes nowhere, either, when its pod has gone`,
      program: "from_host",
      before: (plane) => plane.remove("endpoints", addr(podA[f]).bytes),
      frame: frame(podA[f], remote[f], udp(4000, 53), TWILL1),
      verdict: "drop",
      metrics: ["drop_no_endpoint"],
      check: (_, __, plane) => assert.deepEqual(plane.flows("ct_other"), []),
    },
    {
      name: `${f}: what a pod that has gone sent to the outside does not leave`,
      program: "to_wire",
      before: (plane) => plane.remove("endpoints", addr(podA[f]).bytes),
      frame: frame(podA[f], outside[f], udp(4000, 53)),
      options: { ingressIfindex: NODE.twill0 },
      verdict: "drop",
      metrics: ["drop_no_endpoint"],
    },
    {
      name: `${f}: what others send from such an address is not Twill's to judge`,
      program: "to_wire",
      before: (plane) => plane.remove("endpoints", addr(podA[f]).bytes),
      frame: frame(podA[f], outside[f], udp(4000, 53)),
      options: { ingressIfindex: NODE.twill1 },
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: what other nodes' pods send by the stack leaves`,
      program: "to_wire",
      frame: frame(remote[f], outside[f], udp(4000, 53)),
      options: { ingressIfindex: NODE.twill0 },
      verdict: "next",
      metrics: [],
    },
    {
      name: `${f}: a pod whose address was taken away cannot go on with its flow`,
      program: "from_pod",
      before: (plane) => {
        known(plane);
        plane.putEndpoint(podA[f], { ...podA, ifindex: 778 });
        plane.announceEndpoints();
      },
      frame: segment,
      verdict: "drop",
      metrics: ["drop_source_spoofed"],
    },
    {
      name: `${f}: another pod cannot go on with the flow of this one`,
      program: "from_pod",
      before: (plane) => {
        // The flow begins at pod B's link, as far as the endpoints say; the packet comes from the test's own.
        plane.putEndpoint(podB[f], { ...podB, ifindex: 1 });
        plane.run("from_pod", frame(podB[f], remote[f], tcp(4000, 80), { srcMac: podB.mac }));
        plane.putEndpoint(podB[f], podB);
        plane.announceEndpoints();
      },
      frame: frame(podB[f], remote[f], tcp(4000, 80), { srcMac: podB.mac }),
      verdict: "drop",
      metrics: ["drop_source_spoofed"],
    },
    {
      name: `${f}: a spoofed packet does not touch the flow that it claims to be of`,
      program: "from_pod",
      before: known,
      frame: frame(podA[f], podB[f], tcp(4000, 80, { flags: 4 }), { srcMac: "0a:58:00:00:00:66" }),
      verdict: "drop",
      metrics: ["drop_mac_spoofed"],
      check: (_, __, plane) => assert.equal((plane.flows()[0]?.entry.originSeen ?? 0) & 4, 0),
    },
    {
      name: `${f}: from another node, a pod that is gone is not sent to`,
      program: "from_tunnel",
      before: (plane) => {
        for (let i = 0; i < 2; i++) plane.run("from_tunnel", frame(remote[f], podB[f], tcp(1, 2)), VIA_NODE2);
        plane.remove("endpoints", addr(podB[f]).bytes);
        plane.announceEndpoints();
      },
      frame: frame(remote[f], podB[f], tcp(1, 2)),
      options: VIA_NODE2,
      verdict: "drop",
      metrics: ["drop_no_endpoint"],
    },
  ];
});
