import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { unwrap } from "../../base/result.ts";
import { parseEventQuery } from "../../flow/query.ts";
import { DENIED_EVENT } from "../../flow/testing.ts";
import type { EventNames, ToldEvent } from "../../flow/told.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { type Event, encodeEvent, Metric } from "../../net/gen/bpf-maps.ts";
import type { Sink } from "../http.ts";
import type { Log } from "../log.ts";
import { EventWatch, MAX_FOLLOWERS } from "./event-watch.ts";

const PINS = "/sys/fs/bpf/twill";
const EVENT: Event = { ...DENIED_EVENT, timeNs: 5_000_000_000n, dst: addr("10.244.1.6").bytes, direction: 1 };
const NAMES: EventNames = {
  at: (a) => (a.text === "10.244.1.5" ? { kind: "pod", name: "default/a" } : undefined),
  rule: () => undefined,
  whyClosed: () => "",
};

class Bench implements Disposable {
  readonly machine = new FakeMachine();
  readonly kernel = createFakeKernel({ machine: this.machine });
  readonly errors: object[] = [];
  readonly watch = new EventWatch({
    kernel: this.kernel,
    log: { error: (fields: object) => void this.errors.push(fields) } as unknown as Log,
    names: NAMES,
    nowMs: () => 1_700_000_000_000,
    monotonicNs: () => 7_000_000_000n,
  });

  load(object = 1, maxEntries = new Map<string, number>()): void {
    this.kernel.loadPrograms(Uint8Array.of(object), { pinDirectory: PINS, maxEntries });
    this.watch.use(`tag ${object}`);
  }

  write(change: Partial<Event> = {}): void {
    const ring = this.machine.pins.get(PINS)?.maps.get("events")?.ring;
    assert.ok(ring?.write(encodeEvent({ ...EVENT, ...change })));
  }

  writeRaw(bytes: Uint8Array): void {
    assert.ok(this.machine.pins.get(PINS)?.maps.get("events")?.ring?.write(bytes));
  }

  async until(isDone: () => boolean): Promise<void> {
    for (const end = performance.now() + 30_000; !isDone() && performance.now() < end; ) await turn();
    assert.ok(isDone());
  }

  taken(): number {
    return [...this.watch.counts().taken.values()].reduce((sum, n) => sum + n, 0);
  }

  past(text: string): ToldEvent[] {
    const lines = this.watch.past(query(text)).split("\n");
    return lines.filter((l) => l !== "").map((l) => JSON.parse(l) as ToldEvent);
  }

  [Symbol.dispose](): void {
    this.watch[Symbol.dispose]();
  }
}

const query = (text: string) => unwrap(parseEventQuery(new URLSearchParams(text)));

/** A client that reads at once. */
function openSink(): Sink & { readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return {
    lines,
    write: (text) => {
      for (const line of text.split("\n")) if (line !== "") lines.push(JSON.parse(line) as Record<string, unknown>);
    },
    waitingBytes: () => 0,
    whenEmpty: () => assert.fail("nothing waits"),
  };
}

test("what the ring holds is taken, counted by kind, and remembered with its time and names", async () => {
  using bench = new Bench();
  bench.load();
  bench.write();
  bench.write({ reason: Metric.dropNoRoute, direction: 0 });
  await bench.until(() => bench.taken() === 2);
  assert.deepEqual(Object.fromEntries(bench.watch.counts().taken), { drop: 1, denied: 1, logged: 0, staged: 0 });
  const [first, second] = bench.past("last=10");
  assert.deepEqual(
    [first?.verdict, first?.time, first?.source?.pod, first?.rule?.number],
    ["denied", "2023-11-14T22:13:18.000Z", "default/a", 17],
  );
  assert.equal(second?.reason, "no_route");
  assert.equal(bench.past("last=1")[0]?.reason, "no_route");
  assert.deepEqual(bench.past(""), []);
});

test("a follower gets the past that it asks for and what comes, as far as it wants it", async () => {
  using bench = new Bench();
  bench.load();
  bench.write();
  bench.write({ reason: Metric.dropTtl });
  await bench.until(() => bench.taken() === 2);
  const [denied, ofPod, ofNobody] = [openSink(), openSink(), openSink()];
  using _ = bench.watch.follow(query("verdict=denied&last=5&follow=true"), denied);
  const ending = bench.watch.follow(query("pod=default/a&follow=true"), ofPod);
  using __ = bench.watch.follow(query("pod=default/b&last=5&follow=true"), ofNobody);
  assert.deepEqual([denied.lines.length, ofPod.lines.length], [1, 0]);
  bench.write();
  await bench.until(() => bench.taken() === 3);
  assert.deepEqual([denied.lines.length, ofPod.lines.length, ofNobody.lines.length], [2, 1, 0]);
  ending[Symbol.dispose]();
  bench.write();
  await bench.until(() => bench.taken() === 4);
  assert.deepEqual([denied.lines.length, ofPod.lines.length], [3, 1], "who has gone gets nothing");
  assert.equal(bench.watch.counts().followers, 2);
});

test("only so many follow", () => {
  using bench = new Bench();
  bench.load();
  const all = Array.from({ length: MAX_FOLLOWERS }, () => bench.watch.follow(query("follow=true"), openSink()));
  assert.equal(bench.watch.hasRoom, false);
  all[0]?.[Symbol.dispose]();
  all[0]?.[Symbol.dispose]();
  assert.equal(bench.watch.counts().followers, MAX_FOLLOWERS - 1);
  assert.equal(bench.watch.hasRoom, true);
  for (const one of all) one[Symbol.dispose]();
});

test("records of another layout are counted and passed over", async () => {
  using bench = new Bench();
  bench.load();
  bench.writeRaw(new Uint8Array(72));
  bench.write();
  await bench.until(() => bench.taken() === 1);
  assert.equal(bench.watch.counts().unreadable, 1);
});

test("a ring that is made anew is followed; the old one is let go", async () => {
  using bench = new Bench();
  bench.load();
  bench.load(2, new Map([["events", 8192]]));
  bench.write();
  await bench.until(() => bench.taken() === 1);
});

test("a ring that cannot be opened is said once, and opened after a later run", async () => {
  using bench = new Bench();
  bench.watch.use(undefined);
  const refusal = () => new KernelError("open ring", "EPERM", 1, "not permitted");
  bench.kernel.loadPrograms(Uint8Array.of(1), { pinDirectory: PINS, maxEntries: new Map() });
  for (let i = 0; i < 2; i++) {
    bench.machine.failNext("openRing", refusal());
    bench.watch.use("tag");
  }
  assert.equal(bench.errors.length, 1);
  bench.watch.use("tag");
  bench.write();
  await bench.until(() => bench.taken() === 1);
});

test("what the ring had no room for is told to followers, and nothing of before", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  using bench = new Bench();
  bench.load();
  const key = new Uint8Array(Uint32Array.of(Metric.eventLost).buffer);
  const lose = (packets: number) => {
    const value = new Uint8Array(32);
    new DataView(value.buffer).setBigUint64(0, BigInt(packets), true);
    new DataView(value.buffer).setBigUint64(16, 1n, true);
    bench.kernel.putMapRows("metrics", [{ key, value }]);
  };
  lose(9);
  const sink = openSink();
  using _ = bench.watch.follow(query("follow=true"), sink);
  t.mock.timers.tick(1000);
  lose(12);
  t.mock.timers.tick(2000);
  assert.deepEqual(sink.lines, [{ lost: 3, where: "ring" }]);
  assert.equal(bench.watch.ringLost(), 13);
});
