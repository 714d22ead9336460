/** One packet test as data: what goes in, what has to come out. */

import assert from "node:assert/strict";
import { type Event, METRIC_NAMES } from "../../src/net/gen/bpf-maps.ts";
import { type Dissected, dissect } from "./dissect.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";
import type { Program, Ran, RunOptions, Verdict } from "./test-run.ts";
import { tickNow } from "./ticks.ts";

export interface Case {
  readonly name: string;
  readonly program: Program;
  /** Before the packet: other packets, other tables. Every case finds the tables of NODE, and no flows. */
  readonly before?: (plane: Plane) => void;
  readonly frame: Uint8Array;
  readonly options?: RunOptions;
  readonly verdict: Verdict;
  /** Device of a redirect. */
  readonly to?: number;
  /** Every metric that goes up, in the order of `enum metric`. */
  readonly metrics: readonly string[];
  /** What else has to be so. Checksums of frames that go on are always verified. */
  readonly check?: (out: Dissected, ran: Ran, plane: Plane, events: readonly Event[]) => void;
  /** The checksums of the frame that goes in are not all right: do not verify those that come out. */
  readonly isSumless?: boolean;
  /** The packet is translated before it turns out that it has to be dropped. */
  readonly isDroppedLate?: boolean;
}

/** What the stack's device gets is flagged as arriving there. */
const BPF_F_INGRESS = 1;

/**
 * Runs the case; throws AssertionError when it fails. Flows behave differently in the first packet of a tick: when a busy
 * machine let the tick end in the middle of a case, the case is run again.
 */
export function runCase(plane: Plane, c: Case): Ran {
  for (;;) {
    const tick = tickNow();
    try {
      return runOnce(plane, c);
    } catch (error) {
      if (tickNow() === tick) throw error;
    }
  }
}

function runOnce(plane: Plane, c: Case): Ran {
  plane.setUp();
  c.before?.(plane);
  plane.events();
  const ran = plane.run(c.program, c.frame, c.options);
  assert.deepEqual({ verdict: ran.verdict, metrics: ran.metrics }, { verdict: c.verdict, metrics: c.metrics });
  if (c.to !== undefined) assert.equal(ran.ifindex, c.to, "device");
  if (ran.verdict === "redirect") assert.equal(ran.flags, ran.ifindex === NODE.twill0 ? BPF_F_INGRESS : 0, "flags");
  const events = plane.events();
  assertEvents(events, ran);
  if (ran.verdict === "drop") {
    if (c.isDroppedLate !== true)
      assert.deepEqual(ran.frame, new Uint8Array(c.frame), "a packet that is dropped for what it is stays as it was");
  } else if (c.isSumless !== true) {
    assert.deepEqual(dissect(ran.frame).wrongSums, [], "checksums");
  }
  c.check?.(dissect(ran.frame), ran, plane, events);
  return ran;
}

const QUIET = new Set(["drop_router_redirect"]);
const TOLD = new Set(["policy_logged", "policy_staged"]);

/**
 * A drop tells itself, exactly once, unless it is one of the quiet ones; so does each verdict that is logged or would be
 * turned around. Everything else tells nothing.
 */
function assertEvents(events: readonly Event[], ran: Ran): void {
  const isTold = (m: string) => (m.startsWith("drop_") && !QUIET.has(m)) || TOLD.has(m);
  const told = events.map((e) => METRIC_NAMES.get(e.reason) ?? String(e.reason));
  assert.deepEqual(told.sort(), ran.metrics.filter(isTold).sort(), "events");
}
