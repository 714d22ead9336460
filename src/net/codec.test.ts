import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesAt, exactly, putBig, putLittle, putLittle64, uint, uint64, viewOf } from "./codec.ts";

describe("uint()", () => {
  const cases: readonly (readonly [number, 1 | 2 | 4, boolean])[] = [
    [0, 1, true],
    [255, 1, true],
    [256, 1, false],
    [65_535, 2, true],
    [65_536, 2, false],
    [4_294_967_295, 4, true],
    [4_294_967_296, 4, false],
    [-1, 4, false],
    [1.5, 4, false],
    [Number.NaN, 4, false],
  ];
  for (const [value, bytes, fits] of cases)
    it(`${fits ? "gives" : "refuses"} ${value} for ${8 * bytes} bits`, () => {
      if (fits) assert.equal(uint(value, bytes, "port"), value);
      else assert.throws(() => uint(value, bytes, "port"), { name: "RangeError", message: /Cannot encode port: / });
    });
});

describe("uint64()", () => {
  const most = (1n << 64n) - 1n;
  for (const value of [0n, 1n, most]) it(`gives ${value}`, () => assert.equal(uint64(value, "packets"), value));
  for (const value of [-1n, most + 1n])
    it(`refuses ${value}`, () => assert.throws(() => uint64(value, "packets"), /Cannot encode packets/));
});

describe("integers", () => {
  for (const bytes of [1, 2, 4] as const)
    it(`of ${bytes} bytes are written as a view writes them`, () => {
      for (const value of [0, 1, 0x80, 0xff, 2 ** (8 * bytes) - 1, Math.floor(2 ** (8 * bytes) / 3)]) {
        const [out, wanted] = [new Uint8Array(12), new Uint8Array(12)];
        const view = new DataView(wanted.buffer);
        const set = { 1: "setUint8", 2: "setUint16", 4: "setUint32" } as const;
        view[set[bytes]](1, value, true);
        view[set[bytes]](6, value, false);
        putLittle(out, 1, bytes, value);
        putBig(out, 6, bytes, value);
        assert.deepEqual(out, wanted, String(value));
      }
    });

  it("of 8 bytes, too", () => {
    for (const value of [0n, 1n, 0xffff_ffffn, 0x0123_4567_89ab_cdefn, (1n << 64n) - 1n]) {
      const [out, wanted] = [new Uint8Array(10), new Uint8Array(10)];
      new DataView(wanted.buffer).setBigUint64(1, value, true);
      putLittle64(out, 1, value);
      assert.deepEqual(out, wanted, String(value));
    }
  });
});

describe("lengths", () => {
  it("exactly() gives bytes of the right length and refuses others", () => {
    const six = new Uint8Array(6);
    assert.equal(exactly(six, 6, "mac"), six);
    for (const length of [0, 5, 7]) assert.throws(() => exactly(new Uint8Array(length), 6, "mac"), RangeError);
  });

  it("viewOf() sees a part of a buffer where it lies, and refuses a wrong length", () => {
    const part = Uint8Array.of(9, 9, 1, 2, 3, 4, 9).subarray(2, 6);
    assert.equal(viewOf(part, 4, "event").getUint32(0), 0x01020304);
    assert.throws(() => viewOf(part, 5, "event"), /Cannot decode event from 4 bytes: 5 are wanted/);
  });

  it("bytesAt() copies", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const copy = bytesAt(viewOf(bytes, 4, "x"), 1, 2);
    bytes[1] = 99;
    assert.deepEqual([...copy], [2, 3]);
  });
});
