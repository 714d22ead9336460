import assert from "node:assert/strict";
import { test } from "node:test";
import { readConnected, writeDestroy, writeListConnected } from "./sock-diag.ts";
import { NetlinkWriter } from "./writer.ts";

/** As the kernel says it of a socket with cookie 0x1_0000_0002. */
function answer(state: number): Uint8Array {
  const bytes = new Uint8Array(72).fill(7, 4, 44);
  bytes[0] = 2;
  bytes[1] = state;
  new DataView(bytes.buffer).setUint32(44, 2, true);
  new DataView(bytes.buffer).setUint32(48, 1, true);
  return bytes;
}

test("a connected socket is read, and the request that ends it names it whole", () => {
  const socket = readConnected(answer(1));
  assert.equal(socket?.cookie, 0x1_0000_0002n);
  const w = new NetlinkWriter();
  writeDestroy(w, socket!, 4, 9);
  const message = w.take();
  assert.equal(message.length, 72);
  assert.deepEqual([...message.subarray(4, 6)], [21, 0]);
  assert.deepEqual([...message.subarray(16, 24)], [2, 17, 0, 0, 2, 0, 0, 0]);
  assert.deepEqual(message.subarray(24), answer(1).subarray(4, 52));
});

test("a message that lies somewhere in a larger buffer is read as well", () => {
  const larger = Buffer.alloc(200);
  larger.set(answer(1), 100);
  assert.equal(readConnected(larger.subarray(100, 172))?.cookie, 0x1_0000_0002n);
});

test("what is no connected socket is passed over", () => {
  assert.equal(readConnected(answer(7)), undefined);
  assert.equal(readConnected(answer(1).subarray(0, 51)), undefined);
});

test("all sockets of a family are asked for by an empty identity", () => {
  const w = new NetlinkWriter();
  writeListConnected(w, 6, 0x300, 1);
  const message = w.take();
  assert.deepEqual([...message.subarray(16, 24)], [10, 17, 0, 0, 2, 0, 0, 0]);
  assert.ok(message.subarray(24).every((b) => b === 0));
});
