import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sink } from "../http.ts";
import { Follower, QUEUE_BYTES } from "./follower.ts";

/** A client that reads when it is told to. */
class SlowSink implements Sink {
  written: string[] = [];
  #waiting = 0;
  #listener: (() => void) | undefined;

  write(text: string): void {
    this.written.push(text);
    this.#waiting += text.length;
  }

  waitingBytes(): number {
    return this.#waiting;
  }

  whenEmpty(listener: () => void): void {
    assert.equal(this.#listener, undefined, "one at a time");
    this.#listener = listener;
  }

  read(): void {
    this.#waiting = 0;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
  }
}

const LINE = `${"x".repeat(1023)}\n`;
const FULL = QUEUE_BYTES / LINE.length + 1;

function offer(follower: Follower, count: number): number {
  let made = 0;
  for (let i = 0; i < count; i++)
    follower.offer(() => {
      made++;
      return LINE;
    });
  return made;
}

test("a reader that keeps up gets everything", () => {
  const sink = new SlowSink();
  const follower = new Follower(sink);
  for (let i = 0; i < 10; i++) {
    offer(follower, FULL);
    sink.read();
  }
  assert.deepEqual([sink.written.length, follower.lost], [10 * FULL, 0]);
});

test("what a slow reader has no room for is not even made, counted, and told once it reads again", () => {
  const sink = new SlowSink();
  const follower = new Follower(sink);
  assert.equal(offer(follower, FULL + 500), FULL);
  assert.deepEqual([sink.written.length, follower.lost], [FULL, 500]);
  sink.read();
  assert.equal(sink.written.at(-1), '{"lost":500,"where":"follower"}\n');
  assert.equal(offer(follower, 3), 3);
  assert.equal(follower.lost, 500);
  sink.read();
  assert.equal(sink.written.length, FULL + 4, "told once");
});

test("losses of the ring are told at once, or when there is room", () => {
  const sink = new SlowSink();
  const follower = new Follower(sink);
  follower.tellRingLoss(7);
  assert.deepEqual(sink.written, ['{"lost":7,"where":"ring"}\n']);
  sink.read();
  offer(follower, FULL + 1);
  follower.tellRingLoss(2);
  follower.tellRingLoss(3);
  sink.read();
  assert.deepEqual(sink.written.slice(-2), ['{"lost":1,"where":"follower"}\n', '{"lost":5,"where":"ring"}\n']);
  assert.equal(follower.lost, 1, "those of the ring are nobody's");
});
