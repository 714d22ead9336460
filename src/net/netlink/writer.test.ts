import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { NLM_F } from "./constants.ts";
import { readAttrs, readMessages, readNest, readText, readU8, readU16, readU16Be, readU32 } from "./reader.ts";
import { NetlinkWriter } from "./writer.ts";

it("reads back every attribute that it writes, padded or not", () => {
  const attrs = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 300 })), {
    selector: ([type]) => type,
    maxLength: 40,
  });
  fc.assert(
    fc.property(
      attrs,
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffffffff }),
      (list, type, seq) => {
        const w = new NetlinkWriter().begin(type, NLM_F.ACK, seq);
        for (const [number, value] of list) w.attr(number, value);
        const { messages, isWhole } = readMessages(w.end().take());
        assert.ok(isWhole);
        assert.equal(messages.length, 1);
        const [message] = messages;
        assert.deepEqual([message?.type, message?.flags, message?.sequence], [type, NLM_F.ACK | NLM_F.REQUEST, seq]);
        const read = readAttrs(message?.payload ?? new Uint8Array());
        assert.deepEqual(
          [...read].map(([k, v]) => [k, [...v]]),
          list.map(([k, v]) => [k, [...v]]),
        );
      },
    ),
  );
});

it("writes numbers, text and nests", () => {
  const w = new NetlinkWriter().begin(1, 0, 1);
  w.attrU8(1, 200).attrU16(2, 40000).attrU32(3, 0xfffffff1).attrU16Be(4, 8472).attrText(5, "twill0");
  w.nest(6, () => w.attrU32(7, 1).nest(8, () => w.attrU8(9, 2)));
  const attrs = readAttrs(readMessages(w.end().take()).messages[0]?.payload ?? new Uint8Array());
  assert.equal(readU8(attrs.get(1)), 200);
  assert.equal(readU16(attrs.get(2)), 40000);
  assert.equal(readU32(attrs.get(3)), 0xfffffff1);
  assert.equal(readU16Be(attrs.get(4)), 8472);
  assert.equal(readText(attrs.get(5)), "twill0");
  assert.equal(readU32(readNest(attrs, 6).get(7)), 1);
  assert.equal(readU8(readNest(readNest(attrs, 6), 8).get(9)), 2);
});

it("puts several messages into one datagram and is empty afterwards", () => {
  const w = new NetlinkWriter();
  for (let i = 0; i < 300; i++) w.begin(i, 0, i).attr(1, new Uint8Array(i)).end();
  const { messages, isWhole } = readMessages(w.take());
  assert.ok(isWhole);
  assert.deepEqual(
    messages.map((m) => [m.type, readAttrs(m.payload).get(1)?.length]),
    Array.from({ length: 300 }, (_, i) => [i, i]),
  );
  assert.equal(w.take().length, 0);
});

it("grows at any kind of write", () => {
  const writes: readonly ((w: NetlinkWriter) => void)[] = [
    (w) => w.u8(1),
    (w) => w.u16(1),
    (w) => w.u32(1),
    (w) => w.attrU8(1, 1),
    (w) => w.attrU16(1, 1),
    (w) => w.attrU16Be(1, 1),
    (w) => w.attrU32(1, 1),
    (w) => w.attrText(1, "a"),
    (w) => w.nest(1, () => undefined),
  ];
  for (const write of writes) {
    const w = new NetlinkWriter().begin(1, 0, 1);
    for (let i = 0; i < 5000; i++) write(w);
    assert.ok(readMessages(w.end().take()).isWhole);
  }
});

it("leaves no bytes of an earlier datagram in the padding of a later one", () => {
  const w = new NetlinkWriter();
  w.begin(1, 0, 1).attr(1, new Uint8Array(64).fill(0xff)).end().take();
  const datagram = w.begin(1, 0, 1).attr(1, Uint8Array.of(1)).end().take();
  assert.deepEqual([...datagram.subarray(16)], [5, 0, 1, 0, 1, 0, 0, 0]);
});

it("refuses what cannot be a message", () => {
  const w = new NetlinkWriter().begin(1, 0, 1);
  assert.throws(() => w.begin(1, 0, 1), /begun already/);
  assert.throws(() => w.take(), /not ended/);
  assert.throws(() => w.attr(1, new Uint8Array(65536)), RangeError);
  for (const text of ["twill\u0000", "twill\u0100"]) assert.throws(() => w.attrText(1, text), RangeError);
  assert.throws(() => w.nest(1, () => w.attr(1, new Uint8Array(65500)).attr(2, new Uint8Array(100))), RangeError);
  w.reset();
  assert.throws(() => w.end(), /No message/);
  assert.equal(w.take().length, 0);
});
