/** The node's own pings beside those of masqueraded pods. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { echo, frame } from "./frames.ts";
import { NODE } from "./node.ts";
import { familyOf, MACS, onePort, out, PORT, type Word } from "./wire-way.ts";

const { podA, outside, node, remoteNode } = NODE;

/** The node's own ping while a pod's masqueraded one has the same identifier: each gets its own answer. */
export function ownEchoCases(f: Word): Case[] {
  const family = familyOf(f);
  const own = (id: number) => frame(node[f], outside[f], echo(family, id), MACS);
  return [
    {
      name: `${f}: an echo of the node's own keeps its identifier, which is taken from then on`,
      program: "to_wire",
      frame: own(PORT),
      verdict: "next",
      metrics: ["nat_out", "ct_created", "nat_created"],
      check: (d, _, plane) => {
        assert.deepEqual([d.src, d.srcPort], [node[f], PORT]);
        onePort(plane);
        plane.run("from_pod", frame(podA[f], outside[f], echo(family, 4000)));
        const late = plane.run("to_wire", frame(podA[f], outside[f], echo(family, 4000), MACS));
        assert.equal(late.verdict, "drop");
        assert.ok(late.metrics.includes("drop_nat_no_port"));
      },
    },
    {
      name: `${f}: an echo of the node's own whose identifier a pod's has gets another one`,
      program: "to_wire",
      before: (plane) => {
        out(plane, f, echo(family, 4000));
        plane.putConfig();
      },
      frame: own(PORT),
      verdict: "next",
      metrics: ["nat_out", "ct_created", "nat_created", "nat_collision"],
      check: (d) => {
        assert.equal(d.src, node[f]);
        assert.notEqual(d.srcPort, PORT);
      },
    },
    {
      name: `${f}: the answer to an echo of the node's own goes to the node`,
      program: "from_wire",
      before: (plane) => plane.run("to_wire", own(PORT)),
      frame: frame(outside[f], node[f], echo(family, PORT, true), MACS),
      verdict: "next",
      metrics: ["nat_in"],
      check: (d) => assert.deepEqual([d.dst, d.dstPort], [node[f], PORT]),
    },
    {
      name: `${f}: an echo of the node's own to another node is nobody else's`,
      program: "to_wire",
      frame: frame(node[f], remoteNode[f], echo(family, PORT), MACS),
      verdict: "next",
      metrics: [],
    },
  ];
}
