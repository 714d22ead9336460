import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  MAX_MESSAGE_BYTES,
  mayBeRequest,
  plainAddress,
  plainAnswer,
} from "./protocol.ts";

const nonce = fc.stringMatching(/^[0-9a-f]{1,16}$/);
const size = fc.integer({ min: 0, max: 70_000 });

test("a request says its own length, whatever was asked for", () => {
  fc.assert(
    fc.property(nonce, size, size, (n, s, want) => {
      const bytes = encodeRequest({ nonce: n, size: s, want });
      assert.ok(bytes.length >= s);
      assert.deepEqual(decodeRequest(bytes), { nonce: n, size: bytes.length, want });
    }),
  );
});

test("a reply says its own length and what the server saw", () => {
  fc.assert(
    fc.property(nonce, size, fc.ipV6(), fc.integer({ min: 0, max: 65535 }), (n, want, peerAddress, peerPort) => {
      const bytes = encodeReply({ nonce: n, name: "ns/a", peerAddress, peerPort }, want);
      assert.ok(bytes.length >= want);
      assert.deepEqual(decodeReply(bytes), { nonce: n, size: bytes.length, name: "ns/a", peerAddress, peerPort });
    }),
  );
});

test("what is no message is none, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      decodeRequest(bytes);
      decodeReply(bytes);
      mayBeRequest(bytes);
    }),
  );
  for (const text of [
    "",
    "twill-echo",
    "twill-echo a 1\n",
    "twill-echo a x y\n",
    `twill-echo a ${MAX_MESSAGE_BYTES + 1} 1\n`,
    "GET / HTTP/1.1\n",
  ])
    assert.equal(decodeRequest(Buffer.from(text)), undefined, text);
  assert.equal(mayBeRequest(Buffer.from("twill-e")), true);
  assert.equal(mayBeRequest(Buffer.from("GET")), false);
});

test("people are answered in words, HTTP clients in HTTP", () => {
  assert.deepEqual(plainAnswer("ns/a", "10.0.0.1", 5, Buffer.from("hi\n")), {
    text: "ns/a sees 10.0.0.1 port 5\n",
    isLast: false,
  });
  const http = plainAnswer("ns/a", "fd00::1", 5, Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  assert.match(http.text, /^HTTP\/1.1 200 OK\r\n.*Content-Length: 25\r\n.*\r\n\r\nns\/a sees fd00::1 port 5\n$/s);
  assert.equal(http.isLast, true);
});

test("plainAddress() shows IPv4 as IPv4", () => {
  assert.equal(plainAddress("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(plainAddress("::1"), "::1");
});
