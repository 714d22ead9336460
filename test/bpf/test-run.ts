/** One run of a program by BPF_PROG_TEST_RUN: what it is given in its context, and what it did. */

import type { TestRun } from "../../src/kernel/linux/addon.ts";
import { addr } from "../../src/net/addr.ts";
import { NODE } from "./node.ts";

const CTX_BYTES = 192;
/** Offsets in `struct __sk_buff` (linux/bpf.h). */
const CTX = { mark: 8, ingressIfindex: 36, ifindex: 40, cb: 48, gsoSegs: 164, gsoSize: 176 } as const;

export type Program = "from_pod" | "from_host" | "from_tunnel" | "from_wire" | "to_wire" | "shape";

export interface RunOptions {
  readonly gsoSize?: number;
  readonly gsoSegs?: number;
  /** For from_tunnel: what the VXLAN device would say. `vni: 0xffffffff` makes the key unreadable. */
  readonly tunnel?: { readonly from: string; readonly vni?: number };
  /** The device by which the stack got it, before it got here. */
  readonly ingressIfindex?: number;
  /** The packet's mark as it comes in. */
  readonly mark?: number;
}

export type Verdict = "next" | "drop" | "redirect" | "peer" | "neighbour";

/** What one run did. */
export interface Ran {
  readonly verdict: Verdict;
  /** Device and flags of a redirect. */
  readonly ifindex: number;
  readonly flags: number;
  /** VNI and last word of the tunnel address, when one was set. */
  readonly vni: number;
  readonly tunnelWord: number;
  readonly mark: number;
  readonly frame: Uint8Array;
  /** Metrics that went up, by name, in the order of their numbers. */
  readonly metrics: readonly string[];
}

const VERDICTS = new Map<number, Verdict>([
  [0xffff_ffff, "next"],
  [2, "drop"],
]);

/** By `enum effect`. */
const REDIRECTS: readonly (Verdict | undefined)[] = [undefined, "redirect", "peer", "neighbour"];

/** The context that a program is run with. */
export function encodeContext(o: RunOptions): Uint8Array {
  const ctx = new Uint8Array(CTX_BYTES);
  const view = new DataView(ctx.buffer);
  view.setUint32(CTX.ifindex, 1, true);
  if (o.gsoSize !== undefined) view.setUint32(CTX.gsoSize, o.gsoSize, true);
  if (o.gsoSegs !== undefined) view.setUint32(CTX.gsoSegs, o.gsoSegs, true);
  if (o.ingressIfindex !== undefined) view.setUint32(CTX.ingressIfindex, o.ingressIfindex, true);
  if (o.mark !== undefined) view.setUint32(CTX.mark, o.mark, true);
  if (o.tunnel !== undefined) {
    view.setUint32(CTX.cb, o.tunnel.vni ?? NODE.vni, true);
    ctx.set(addr(o.tunnel.from).bytes, CTX.cb + 4);
  }
  return ctx;
}

/** What a run did, but for what it counted. */
export function decodeRun(program: Program, r: TestRun): Omit<Ran, "metrics"> {
  const cb = (i: number) => r.ctx.readUInt32LE(CTX.cb + 4 * i);
  const isRedirect = r.retval === 7;
  const verdict = isRedirect ? REDIRECTS[cb(0)] : VERDICTS.get(r.retval >>> 0);
  if (verdict === undefined) throw new Error(`"${program}" returned ${r.retval}, which is no verdict`);
  return {
    verdict,
    ifindex: isRedirect ? cb(1) : 0,
    flags: isRedirect ? cb(2) : 0,
    vni: cb(3),
    tunnelWord: cb(4),
    mark: r.ctx.readUInt32LE(CTX.mark),
    frame: new Uint8Array(r.data),
  };
}
