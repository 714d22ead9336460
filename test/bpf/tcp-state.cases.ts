/** What a flow's entry knows of its connection, from the segments that were seen. */

import assert from "node:assert/strict";
import { TIMEOUT_SECONDS, timeoutSeconds } from "../../src/agent/gc/timeouts.ts";
import { CtFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { frame, TCP_FLAG, tcp } from "./frames.ts";
import { NODE } from "./node.ts";
import { type Plane, text } from "./plane.ts";

const { podA, remote } = NODE;
const VIA_NODE2 = { tunnel: { from: NODE.remoteNode.v4 } };
const { fin, syn, rst, ack } = TCP_FLAG;

/** A segment as `>` (of the pod) or `<` (of the other node's pod) and the letters of its flags, as `>S`. */
function send(plane: Plane, segment: string) {
  const flags = [...segment.slice(1)].reduce((f, c) => f | ({ S: syn, A: ack, F: fin, R: rst }[c] ?? 0), 0);
  if (segment.startsWith(">")) return plane.run("from_pod", frame(podA.v4, remote.v4, tcp(4000, 80, { flags })));
  return plane.run("from_tunnel", frame(remote.v4, podA.v4, tcp(80, 4000, { flags })), VIA_NODE2);
}

interface State {
  readonly seconds: number;
  readonly origin: string;
  readonly isPickedUp?: boolean;
  readonly isReopened?: boolean;
}

/** Segments but the last, then the last one, then what the entry has to be like. */
function story(segments: string, state: State): Case {
  const all = segments.split(" ");
  const last = all.at(-1) ?? "";
  const isOut = last.startsWith(">");
  const flags = [...last.slice(1)].reduce((f, c) => f | ({ S: syn, A: ack, F: fin, R: rst }[c] ?? 0), 0);
  const forwarded = isOut ? "forward_tunnel" : "forward_local";
  const isFirst = all.length === 1;
  return {
    name: segments,
    program: isOut ? "from_pod" : "from_tunnel",
    before: (plane) => {
      for (const s of all.slice(0, -1)) send(plane, s);
    },
    frame: isOut
      ? frame(podA.v4, remote.v4, tcp(4000, 80, { flags }))
      : frame(remote.v4, podA.v4, tcp(80, 4000, { flags })),
    ...(isOut ? {} : { options: VIA_NODE2 }),
    verdict: isOut ? "redirect" : "peer",
    metrics: [forwarded, ...(isFirst ? ["ct_created"] : []), ...(state.isReopened === true ? ["ct_reopened"] : [])],
    check: (_, __, plane) => {
      const flows = plane.flows();
      const [flow] = flows;
      assert.ok(flow !== undefined && flows.length === 1);
      assert.equal(timeoutSeconds(flow.key.protocol, flow.entry), state.seconds);
      const isHigh = (flow.entry.flags & CtFlag.originHigh) !== 0;
      assert.equal(text(isHigh ? flow.key.high : flow.key.low), state.origin, "origin");
      assert.equal((flow.entry.flags & CtFlag.pickedUp) !== 0, state.isPickedUp === true, "picked up");
    },
  };
}

const { tcpOpening, tcpEstablished, tcpHalfClosed, tcpClosed } = TIMEOUT_SECONDS;
const pod = podA.v4;
const peer = remote.v4;

export const TCP_STATE_CASES: readonly Case[] = [
  story(">S", { seconds: tcpOpening, origin: pod }),
  story(">S <SA", { seconds: tcpOpening, origin: pod }),
  story(">S <SA >A", { seconds: tcpEstablished, origin: pod }),
  story("<S >SA <A", { seconds: tcpEstablished, origin: peer }),
  story(">S <SA >A <A >FA", { seconds: tcpHalfClosed, origin: pod }),
  story(">S <SA >A <A >FA <FA", { seconds: tcpClosed, origin: pod }),
  story(">S <RA", { seconds: tcpClosed, origin: pod }),
  story(">S <SA >A >R", { seconds: tcpClosed, origin: pod }),
  story(">S <SA >A >FA <FA >A", { seconds: tcpClosed, origin: pod }),
  story(">S <SA >A >FA <FA >S", { seconds: tcpOpening, origin: pod, isReopened: true }),
  story(">S <SA >A >FA <FA <S", { seconds: tcpOpening, origin: peer, isReopened: true }),
  story(">S <RA >S", { seconds: tcpOpening, origin: pod, isReopened: true }),
  story(">S <SA >A >S", { seconds: tcpEstablished, origin: pod }),
  story(">S <SA >A >FA <FA >SA", { seconds: tcpClosed, origin: pod }),
  story(">A", { seconds: tcpOpening, origin: pod, isPickedUp: true }),
  story("<A >A", { seconds: tcpEstablished, origin: peer, isPickedUp: true }),
];
