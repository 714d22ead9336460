/** Behaviour of rings: what programs tell arrives in order, once, and what is lost is counted. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { decodeFlowEvent, type FlowEvent } from "../../flow/event.ts";
import { eachRecord, viewOf } from "../../flow/records.ts";
import { EVENT_BYTES, Metric } from "../../net/gen/bpf-maps.ts";
import { metricSum } from "../../net/per-cpu.ts";
import type { Kernel, Ring } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

/** A record of an event in the ring. */
const RECORD = EVENT_BYTES + 8;
/** The smallest ring that the kernel makes. */
const RING_BYTES = 4096;
const ALL = 1 << 20;
const WAIT_MS = 30_000;

function load(bench: KernelBench): void {
  bench.kernel.loadPrograms(bench.realObject, {
    pinDirectory: bench.pinDirectory,
    maxEntries: new Map([["events", RING_BYTES]]),
  });
}

function take(ring: Ring, maxBytes = ALL): FlowEvent[] {
  const view = viewOf(ring.drain(maxBytes));
  const events: FlowEvent[] = [];
  const rest = eachRecord(view, (offset, length) => {
    const event = decodeFlowEvent(view, offset, length);
    assert.ok(event, `a record of ${length} bytes`);
    events.push(event);
  });
  assert.equal(rest, 0);
  return events;
}

function lost(kernel: Kernel): number {
  const value = kernel.mapGet("metrics", new Uint8Array(Uint32Array.of(Metric.eventLost).buffer));
  assert.ok(value);
  return metricSum(value).packets;
}

/** Tests of rings. */
export function ringTests(open: () => KernelBench): void {
  it("says that there is no such map, and which map is no ring", () => {
    using bench = open();
    assert.throws(() => bench.kernel.openRing("events"), { name: "KernelError", code: "ENOENT" });
    load(bench);
    assert.throws(() => bench.kernel.openRing("nodes"), { name: "KernelError", code: "EINVAL" });
    assert.throws(() => bench.kernel.openRing("../events"), { code: "ENOENT" });
  });

  it("drains what programs tell: whole records, as many as fit, each once", () => {
    using bench = open();
    load(bench);
    using ring = bench.kernel.openRing("events");
    assert.deepEqual([ring.pendingBytes(), ring.drain(ALL).length], [0, 0]);
    bench.runFromPod(10);
    assert.equal(ring.pendingBytes(), 10 * RECORD);
    assert.equal(take(ring, RECORD - 1).length, 0, "not a part of one");
    assert.equal(take(ring, 3 * RECORD + 5).length, 3);
    const rest = take(ring);
    assert.equal(rest.length, 7);
    for (const e of rest)
      assert.deepEqual([e.kind, e.reason, e.hook, e.bytes], ["drop", "not_configured", "from_pod", 60]);
    assert.deepEqual([ring.pendingBytes(), take(ring).length], [0, 0]);
  });

  it("loses what finds no room, and it is counted exactly", () => {
    using bench = open();
    load(bench);
    using ring = bench.kernel.openRing("events");
    const room = Math.floor((RING_BYTES - 1) / RECORD);
    for (const packets of [room, room + 1, 1000]) {
      const before = lost(bench.kernel);
      bench.runFromPod(packets);
      const taken = take(ring).length;
      assert.ok(taken <= room && taken >= room - 1, `${taken} of ${packets}`);
      assert.equal(taken + lost(bench.kernel) - before, packets);
    }
  });

  it("calls once when something waits, also what waited before, and not when nobody wants it any more", async () => {
    using bench = open();
    load(bench);
    using ring = bench.kernel.openRing("events");
    let calls = 0;
    const call = () => void calls++;
    using unwanted = ring.whenReadable(() => assert.fail("called after it was disposed"));
    ring.whenReadable(call);
    await pause(20);
    assert.equal(calls, 0, "nothing waits");
    unwanted[Symbol.dispose]();
    bench.runFromPod(1);
    const until = async (count: number) => {
      for (const end = performance.now() + WAIT_MS; calls < count && performance.now() < end; ) await turn();
      await pause(20);
      assert.equal(calls, count);
    };
    await until(1);
    bench.runFromPod(1);
    await until(1);
    const again = () => ring.whenReadable(call);
    again();
    assert.equal(calls, 1, "never from within the call");
    await until(2);
    assert.equal(take(ring).length, 2);
    again();
    bench.runFromPod(1);
    await until(3);
  });

  it("goes on where an earlier reader ended", () => {
    using bench = open();
    load(bench);
    const first = bench.kernel.openRing("events");
    bench.runFromPod(5);
    assert.equal(take(first, 2 * RECORD).length, 2);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    using second = bench.reopen().openRing("events");
    assert.equal(take(second).length, 3);
  });
}
