import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum, echoRequest, readEchoReply } from "./icmp.ts";

test("checksum() gives RFC 1071's example, and 0 over a message that holds it", () => {
  assert.equal(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7)), 0x220d);
  assert.equal(checksum(echoRequest(4, 7, 9, Buffer.from("odd"))), 0);
});

test("an echo reply is read back behind its IP header, and for IPv6 without one", () => {
  const payload = Buffer.from("hello");
  const four = echoRequest(4, 7, 9, payload);
  four[0] = 0;
  const header = Buffer.alloc(24);
  header[0] = 0x46;
  assert.deepEqual(readEchoReply(4, Buffer.concat([header, four])), { id: 7, sequence: 9, payload });
  const six = echoRequest(6, 7, 9, payload);
  assert.equal(readEchoReply(6, six), undefined);
  six[0] = 129;
  assert.deepEqual(readEchoReply(6, six), { id: 7, sequence: 9, payload });
});

test("short and foreign messages are no replies", () => {
  for (const length of [0, 1, 19, 27])
    assert.equal(readEchoReply(4, Buffer.alloc(length, 0x45)), undefined, String(length));
});
