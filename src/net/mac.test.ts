import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isUnicastMac, mac, macBytes, macFromBytes, parseMac } from "./mac.ts";

describe("parseMac()", () => {
  for (const text of ["0a:58:0a:f4:01:02", "0A:58:0A:F4:01:02", "0a-58-0a-f4-01-02"])
    it(`reads "${text}"`, () => assert.equal(mac(text), "0a:58:0a:f4:01:02"));

  const refused = [
    "",
    "0a:58:0a:f4:01",
    "0a:58:0a:f4:01:02:03",
    "0a:58:0a-f4:01:02",
    "a:58:0a:f4:01:02",
    "0a580af40102",
  ];
  for (const text of [...refused, "0g:58:0a:f4:01:02", " 0a:58:0a:f4:01:02", "0a:58:0a:f4:01:02\n", "0".repeat(999)])
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      const r = parseMac(text);
      assert.equal(r.ok, false);
      if (!r.ok) assert.ok(r.error.length < 130 && r.error.includes("is not a MAC address"), r.error);
    });

  it("mac() throws where parseMac() refuses", () => assert.throws(() => mac("no"), SyntaxError));
});

describe("macs as values", () => {
  it("text and bytes round-trip", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        assert.deepEqual(macBytes(macFromBytes(bytes)), bytes);
        assert.equal(mac(macFromBytes(bytes)), macFromBytes(bytes));
      }),
    );
  });

  for (const length of [0, 5, 7, 8])
    it(`refuses ${length} bytes`, () => assert.throws(() => macFromBytes(new Uint8Array(length)), RangeError));

  const carried: readonly (readonly [string, boolean])[] = [
    ["ee:ee:ee:ee:ee:ee", true],
    ["00:00:00:00:00:01", true],
    ["00:00:00:00:00:00", false],
    ["01:00:5e:00:00:01", false],
    ["33:33:00:00:00:01", false],
    ["ff:ff:ff:ff:ff:ff", false],
  ];
  for (const [text, wanted] of carried)
    it(`an interface ${wanted ? "may" : "must not"} carry ${text}`, () =>
      assert.equal(isUnicastMac(mac(text)), wanted));
});
