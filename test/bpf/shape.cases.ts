/** What the program `shape` does between a limited pod's host end and the pair that limits it. */

import assert from "node:assert/strict";
import type { Case } from "./case.ts";
import { frame, TCP_FLAG, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";

const { podA, outside } = NODE;
const HERE = 1;

const families = ["v4", "v6"] as const;

const untouched =
  (sent: Uint8Array): NonNullable<Case["check"]> =>
  (_, ran) =>
    assert.deepEqual(ran.frame, new Uint8Array(sent));

export const SHAPE_CASES: readonly Case[] = [
  ...families.flatMap((f): Case[] => {
    const sent = frame(podA[f], outside[f], tcp(4000, 80, { flags: TCP_FLAG.syn }));
    const got = frame(outside[f], podA[f], udp(53, 4000));
    return [
      {
        name: `${f}: what a limited pod sends goes through the queue of its pair, as it is`,
        program: "shape",
        before: (plane) => plane.putShaper(HERE, 401, false),
        frame: sent,
        verdict: "redirect",
        to: 401,
        metrics: ["forward_shaped"],
        check: untouched(sent),
      },
      {
        name: `${f}: what comes out of the pair goes into the pod, as it is`,
        program: "shape",
        before: (plane) => plane.putShaper(HERE, 402, true),
        frame: got,
        verdict: "peer",
        to: 402,
        metrics: ["forward_shaped"],
        check: untouched(got),
      },
      {
        name: `${f}: without its pair the pod is closed`,
        program: "shape",
        before: (plane) => plane.putShaper(HERE + 1, 401, false),
        frame: sent,
        verdict: "drop",
        metrics: [],
      },
    ];
  }),
];
