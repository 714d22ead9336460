import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Addr,
  addr,
  addrEqual,
  addrFromBigint,
  addrFromBytes,
  addrToBigint,
  compareAddr,
  type Family,
  familyBits,
  parseAddr,
  wireBytes,
} from "./addr.ts";

/** Text in, canonical text out. The IPv6 ones are RFC 5952's rules in its order, then RFC 4291's own examples. */
const canonical: readonly (readonly [string, string])[] = [
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["10.244.1.7", "10.244.1.7"],
  // 4.1: leading zeros of a group go
  ["2001:0db8::0001", "2001:db8::1"],
  ["2001:db8:0000:0:1:0000:0:1", "2001:db8::1:0:0:1"],
  // 4.2.1: "::" takes as much as it can
  ["2001:db8::0:1", "2001:db8::1"],
  ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
  // 4.2.2: a single zero group is written out
  ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  // 4.2.3: the longest run; of equal runs the first
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  // 4.3: lower case
  ["2001:DB8::ABCD", "2001:db8::abcd"],
  ["2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"],
  ["FF01:0:0:0:0:0:0:101", "ff01::101"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["fe80::", "fe80::"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  // One address, one spelling: mapped IPv4 is IPv4
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::FFFF:a00:1", "10.0.0.1"],
  ["0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"],
  // ... but IPv4-compatible (deprecated) and translated addresses are IPv6
  ["::10.0.0.1", "::a00:1"],
  ["::ffff:0:10.0.0.1", "::ffff:0:a00:1"],
];

const refused: readonly string[] = [
  "",
  " ",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "1.2.3.4 ",
  " 1.2.3.4",
  "1.2.3.-4",
  "1.2.3.0x4",
  "1..2.3",
  "0x7f000001",
  "2130706433",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::1:2:3:4:5:6:7:8",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
  "12345::",
  "g::",
  "fe80::1%eth0",
  "2001:db8::/32",
  "[::1]",
  "::1.2.3",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::ffff:010.0.0.1",
  "1:2:3:4:5:6:7:1.2.3.4",
  "0".repeat(5000),
];

describe("parseAddr()", () => {
  for (const [text, wanted] of canonical)
    it(`reads "${text}" as ${wanted}`, () => {
      const a = addr(text);
      assert.equal(a.text, wanted);
      assert.equal(a.family, wanted.includes(":") ? 6 : 4);
      assert.equal(a.bytes.length, 16);
      assert.ok(Object.isFrozen(a));
    });

  for (const text of refused)
    it(`refuses "${text.slice(0, 50)}"`, () => {
      const r = parseAddr(text);
      assert.equal(r.ok, false);
      if (!r.ok) assert.ok(r.error.length < 120 && r.error.includes("is not an IP address"), r.error);
    });

  it("agrees with Node's own parser on any text, zones aside", () => {
    const agrees = (text: string) => assert.equal(parseAddr(text).ok, isIP(text) !== 0, text);
    fc.assert(fc.property(fc.string(), agrees));
    const pieces = fc.constantFrom("0", "1", "ab", "ffff", "10", "256", "1.2.3.4", ":", ":", ":", "::", ".", "x");
    fc.assert(fc.property(fc.string({ unit: pieces, maxLength: 17 }), agrees), { numRuns: 2000 });
  });
});

const anyAddr: fc.Arbitrary<Addr> = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addrFromBytes),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addrFromBytes),
  // Mostly zeros, where "::" lies
  fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }).map((b) => addrFromBytes(Uint8Array.from(b))),
);

describe("addresses as values", () => {
  it("text and bytes round-trip", () => {
    fc.assert(
      fc.property(anyAddr, (a) => {
        assert.deepEqual(addr(a.text), a);
        assert.deepEqual(addrFromBytes(a.bytes), a);
        assert.deepEqual(addrFromBytes(wireBytes(a)), a);
        assert.equal(wireBytes(a).length * 8, familyBits(a.family));
      }),
    );
  });

  it("numbers round-trip and keep the order", () => {
    fc.assert(
      fc.property(anyAddr, anyAddr, (a, b) => {
        assert.deepEqual(addrFromBigint(a.family, addrToBigint(a)), a);
        const byNumber = addrToBigint(a) < addrToBigint(b) ? -1 : addrToBigint(a) > addrToBigint(b) ? 1 : 0;
        if (a.family === b.family) assert.equal(Math.sign(compareAddr(a, b)), byNumber);
        else assert.equal(Math.sign(compareAddr(a, b)), a.family === 4 ? -1 : 1);
        assert.equal(Math.sign(compareAddr(b, a)) + Math.sign(compareAddr(a, b)), 0);
        assert.equal(addrEqual(a, b), compareAddr(a, b) === 0);
      }),
    );
  });

  it("copies the bytes that it is made of and gives away", () => {
    const input = Uint8Array.of(10, 0, 0, 1);
    const a = addrFromBytes(input);
    input[0] = 99;
    wireBytes(a)[0] = 99;
    assert.equal(a.text, "10.0.0.1");
    assert.deepEqual([...wireBytes(a)], [10, 0, 0, 1]);
  });

  for (const length of [0, 3, 5, 15, 17])
    it(`refuses ${length} bytes`, () => assert.throws(() => addrFromBytes(new Uint8Array(length)), RangeError));

  const outside: readonly (readonly [Family, bigint])[] = [
    [4, -1n],
    [4, 1n << 32n],
    [6, -1n],
    [6, 1n << 128n],
  ];
  for (const [family, n] of outside)
    it(`refuses ${n} for family ${family}`, () => assert.throws(() => addrFromBigint(family, n), RangeError));

  it("addr() throws where parseAddr() refuses", () => assert.throws(() => addr("10.0.0"), SyntaxError));
});
