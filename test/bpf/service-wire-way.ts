/** What the cases of services that are asked for from the wire share. */

import assert from "node:assert/strict";
import { ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { frame, TCP_FLAG, type Transport, tcp } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import { CLIENT, FROM_WIRE, flowsText, NODE_PORT, putService, SERVED } from "./service-way.ts";
import { PORT, type Word } from "./wire-way.ts";

const { podA, node, outside } = NODE;
/** The mark of what goes out past the stack (bpf/lib/effects.h). */
export const MARK_SERVED = 0x7711_ed00;
/** What begins a flow, apart from where it goes. */
export const CREATED = ["ct_created", "service_forward"];
const ZERO = { v4: "0.0.0.0", v6: "::" } as const;
export const OUTSIDE = ServiceFlag.outside;

/** A node port with backends for who comes from the wire; one port for who is translated to the node. */
export function nodePort(plane: Plane, f: Word, backends: readonly string[], flags = 0, config = SERVED): void {
  putService(plane, {
    addr: ZERO[f],
    port: NODE_PORT,
    flags: OUTSIDE | flags,
    outside: backends.map((a) => ({ addr: a })),
  });
  plane.putConfig({ flags: config, natPortMin: PORT, natPortMax: PORT });
}

/** A client outside asks the node. */
export const asking = (f: Word, t: Transport, o = {}) => frame(outside[f], node[f], t, { ...FROM_WIRE, ...o });

/** From the wire, to a node port with one pod of this node behind it unless a case says otherwise. */
export function comes(f: Word, name: string, rest: Partial<Case>): Case {
  return {
    name: `${f}: ${name}`,
    program: "from_wire",
    before: (plane) => nodePort(plane, f, [podA[f]]),
    frame: asking(f, tcp(CLIENT, NODE_PORT, { flags: TCP_FLAG.syn })),
    verdict: "peer",
    metrics: ["forward_local", ...CREATED],
    ...rest,
  };
}

export function ignored(f: Word, name: string, rest: Partial<Case>): Case {
  const bytes = rest.frame ?? asking(f, tcp(CLIENT, NODE_PORT, { flags: TCP_FLAG.syn }));
  return comes(f, name, {
    verdict: "next",
    metrics: [],
    check: (_, ran, plane) => {
      assert.deepEqual(ran.frame, new Uint8Array(bytes));
      assert.deepEqual(flowsText(plane), []);
    },
    ...rest,
  });
}
