import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Addr, addr, addrFromBytes, addrToBigint, familyBits } from "./addr.ts";
import {
  comparePrefix,
  hostPrefix,
  mappedLength,
  nthAddr,
  type Prefix,
  parseInterfaceAddr,
  parsePrefix,
  prefix,
  prefixCovers,
  prefixesOverlap,
  prefixHas,
  prefixOf,
  prefixSize,
} from "./prefix.ts";

describe("parsePrefix()", () => {
  const canonical: readonly (readonly [string, string, number])[] = [
    ["10.244.0.0/16", "10.244.0.0/16", 112],
    ["0.0.0.0/0", "0.0.0.0/0", 96],
    ["10.0.0.1/32", "10.0.0.1/32", 128],
    ["FD00:10:244::/48", "fd00:10:244::/48", 48],
    ["::/0", "::/0", 0],
    ["2001:db8::1/128", "2001:db8::1/128", 128],
  ];
  for (const [text, wanted, mapped] of canonical)
    it(`reads "${text}"`, () => {
      assert.equal(prefix(text).text, wanted);
      assert.equal(mappedLength(prefix(text)), mapped);
    });

  const refused: readonly string[] = [
    "",
    "/",
    "/24",
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/ 8",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "10.0.0/24",
    "::/129",
    "::ffff:10.0.0.0/104",
    "fe80::%eth0/64",
  ];
  for (const text of refused)
    it(`refuses "${text}"`, () => {
      const r = parsePrefix(text);
      assert.equal(r.ok, false);
      if (!r.ok) assert.match(r.error, /is not a CIDR such as/);
    });

  it("names the right spelling when host bits are set", () => {
    assert.deepEqual(parsePrefix("10.244.1.7/24"), {
      ok: false,
      error: '"10.244.1.7/24" has host bits set: "10.244.1.0/24" would be right',
    });
  });

  it("prefix() throws where parsePrefix() refuses", () => assert.throws(() => prefix("10.0.0.1/8"), SyntaxError));
});

it("parseInterfaceAddr() keeps the host bits", () => {
  assert.deepEqual(parseInterfaceAddr("10.244.1.7/24"), { ok: true, value: { addr: addr("10.244.1.7"), length: 24 } });
});

const anyAddr: fc.Arbitrary<Addr> = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addrFromBytes),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addrFromBytes),
);
const anyPrefix: fc.Arbitrary<Prefix> = anyAddr.chain((a) =>
  fc.integer({ min: 0, max: familyBits(a.family) }).map((length) => prefixOf(a, length)),
);

/** Two prefixes that are near each other often enough for the interesting answers. */
const twoPrefixes = fc.oneof(
  fc.tuple(anyPrefix, anyPrefix),
  anyAddr.chain((a) => {
    const length = fc.integer({ min: 0, max: familyBits(a.family) });
    return fc.tuple(length, length).map(([m, n]): [Prefix, Prefix] => [prefixOf(a, m), prefixOf(a, n)]);
  }),
);

const first = (p: Prefix) => addrToBigint(p.addr);
const last = (p: Prefix) => first(p) + prefixSize(p) - 1n;

describe("prefixes as ranges of numbers", () => {
  it("text round-trips, and cutting an address is idempotent", () => {
    fc.assert(
      fc.property(anyPrefix, (p) => {
        assert.deepEqual(prefix(p.text), p);
        assert.deepEqual(prefixOf(p.addr, p.length), p);
      }),
    );
  });

  it("prefixHas() is comparison with first and last address", () => {
    fc.assert(
      fc.property(anyPrefix, anyAddr, (p, a) => {
        const n = addrToBigint(a);
        assert.equal(prefixHas(p, a), p.family === a.family && first(p) <= n && n <= last(p));
      }),
    );
  });

  it("prefixCovers() and prefixesOverlap() are containment and intersection", () => {
    fc.assert(
      fc.property(twoPrefixes, ([p, q]) => {
        const same = p.family === q.family;
        assert.equal(prefixCovers(p, q), same && first(p) <= first(q) && last(q) <= last(p));
        assert.equal(prefixesOverlap(p, q), same && first(p) <= last(q) && first(q) <= last(p));
      }),
    );
  });

  it("nthAddr() counts from the first address to the last and no further", () => {
    fc.assert(
      fc.property(anyPrefix, (p) => {
        assert.deepEqual(nthAddr(p, 0n), p.addr);
        assert.equal(addrToBigint(nthAddr(p, prefixSize(p) - 1n)), last(p));
        assert.throws(() => nthAddr(p, prefixSize(p)), RangeError);
        assert.throws(() => nthAddr(p, -1n), RangeError);
      }),
    );
  });

  it("comparePrefix() is a total order in which equal means same text", () => {
    fc.assert(
      fc.property(twoPrefixes, ([p, q]) => {
        assert.equal(comparePrefix(p, q) === 0, p.text === q.text);
        assert.equal(Math.sign(comparePrefix(p, q)) + Math.sign(comparePrefix(q, p)), 0);
      }),
    );
  });

  it("hostPrefix() holds one address", () => {
    fc.assert(fc.property(anyAddr, (a) => assert.equal(prefixSize(hostPrefix(a)), 1n)));
  });

  for (const length of [-1, 33, 1.5, Number.NaN])
    it(`prefixOf() refuses length ${length} for IPv4`, () =>
      assert.throws(() => prefixOf(addr("10.0.0.1"), length), RangeError));
});
