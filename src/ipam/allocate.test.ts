import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Addr, addr, addrFromBytes, addrToBigint } from "../net/addr.ts";
import { nthAddr, prefix, prefixSize } from "../net/prefix.ts";
import { type AddrRange, rangeHas, rangeOf } from "../net/range.ts";
import { allocate } from "./allocate.ts";
import { poolFigures } from "./figures.ts";
import type { Occupancy } from "./occupancy.ts";
import { makePool, type Pool, poolUsable } from "./pool.ts";

/** Addresses in use, kept in the plainest way. */
function createOccupancy() {
  const held = new Map<string, number>();
  const cooling = new Map<string, number>();
  const cursors = new Map<string, Addr>();
  const within = (keys: Iterable<string>, range: AddrRange) => [...keys].map(addr).filter((a) => rangeHas(range, a));
  const view: Occupancy = {
    cursor: (pool) => cursors.get(pool),
    use: (a) => {
      const endpoint = held.get(a.text);
      if (endpoint !== undefined) return { kind: "held", endpoint };
      return cooling.has(a.text) ? { kind: "cooling" } : { kind: "free" };
    },
    taken: (range) =>
      within([...held.keys(), ...cooling.keys()], range)
        .map((a) => a.bytes)
        .sort(Buffer.compare),
    coolest: (range) => {
      const all = within(cooling.keys(), range).map((a) => ({ addr: a, releasedAtMs: cooling.get(a.text) ?? 0 }));
      return all.sort((a, b) => a.releasedAtMs - b.releasedAtMs)[0];
    },
    count: (range) => ({ held: within(held.keys(), range).length, cooling: within(cooling.keys(), range).length }),
  };
  return { held, cooling, cursors, view };
}

const range = (first: string, last: string) => rangeOf(addr(first), addr(last));
const V4 = makePool("10.244.1.0/24", prefix("10.244.1.0/24"), [range("10.244.1.10", "10.244.1.19")]);
const V6 = makePool("fd00:10:244:1::/64", prefix("fd00:10:244:1::/64"));

function ask(extra: { pools?: readonly Pool[]; statics?: readonly string[]; sets?: readonly AddrRange[][] } = {}) {
  return { pools: extra.pools ?? [V4, V6], statics: (extra.statics ?? []).map(addr), rangeSets: extra.sets ?? [] };
}

function texts(request: ReturnType<typeof ask>, view: Occupancy): string[] {
  const r = allocate(request, view);
  if (!r.ok) assert.fail(r.error.message);
  return r.value.map((a) => a.addr.text);
}

function refusal(request: ReturnType<typeof ask>, view: Occupancy): string {
  const r = allocate(request, view);
  assert.ok(!r.ok, "an allocation was expected to be refused");
  return `${r.error.kind}: ${r.error.message}`;
}

test("one address of each family that has a pool, IPv4 first", () => {
  const { view } = createOccupancy();
  assert.deepEqual(texts(ask(), view), ["10.244.1.2", "fd00:10:244:1::2"]);
  assert.deepEqual(texts(ask({ pools: [V6] }), view), ["fd00:10:244:1::2"]);
});

test("the walk goes on behind the last address, over reserved ranges, and round", () => {
  const { view, cursors, held } = createOccupancy();
  cursors.set(V4.name, addr("10.244.1.9"));
  assert.equal(texts(ask(), view)[0], "10.244.1.20");
  cursors.set(V4.name, addr("10.244.1.254"));
  held.set("10.244.1.2", 1).set("10.244.1.3", 2);
  assert.equal(texts(ask(), view)[0], "10.244.1.4");
});

test("a cursor that lies outside the pool's ranges does not disturb", () => {
  const { view, cursors } = createOccupancy();
  cursors.set(V4.name, addr("10.244.1.15"));
  assert.equal(texts(ask(), view)[0], "10.244.1.20");
});

test("a cooling address is passed over while another is free, and taken longest first when none is", () => {
  const { view, cooling, held } = createOccupancy();
  const pool = makePool("small", prefix("10.9.0.0/29"));
  cooling.set("10.9.0.2", 50).set("10.9.0.3", 40);
  held.set("10.9.0.4", 1).set("10.9.0.5", 2);
  assert.deepEqual(texts(ask({ pools: [pool] }), view), ["10.9.0.6"]);
  held.set("10.9.0.6", 3);
  const r = allocate(ask({ pools: [pool] }), view);
  assert.ok(r.ok);
  assert.deepEqual(r.value, [{ addr: addr("10.9.0.3"), pool: "small", movesCursor: true, isEarlyReuse: true }]);
});

test("a second pool of a family serves when the first is full", () => {
  const { view, held } = createOccupancy();
  const first = makePool("first", prefix("10.9.0.0/30"));
  const second = makePool("second", prefix("10.9.1.0/30"));
  held.set("10.9.0.2", 1);
  assert.deepEqual(texts(ask({ pools: [first, second] }), view), ["10.9.1.2"]);
});

test("exhaustion names every pool and its figures, and wins over the other family", () => {
  const { view, held } = createOccupancy();
  const a = makePool("10.9.0.0/30", prefix("10.9.0.0/30"));
  const b = makePool("10.9.1.0/29", prefix("10.9.1.0/29"));
  held.set("10.9.0.2", 1);
  for (let i = 2; i < 7; i++) held.set(`10.9.1.${i}`, i);
  assert.equal(
    refusal(ask({ pools: [a, b, V6] }), view),
    'exhausted: No address is free in pool "10.9.0.0/30" (1 usable: 1 in use, 0 cooling down, 0 free), ' +
      '"10.9.1.0/29" (5 usable: 5 in use, 0 cooling down, 0 free)',
  );
});

test("a node without pools is told apart from a full one", () => {
  assert.equal(
    refusal(ask({ pools: [] }), createOccupancy().view),
    "no-pool: Cannot give an address: the node has no pod CIDR yet",
  );
});

test("a static address is given as asked, cooling or not, and the other family as usual", () => {
  const { view, cooling } = createOccupancy();
  cooling.set("10.244.1.77", 1);
  const r = allocate(ask({ statics: ["10.244.1.77"] }), view);
  assert.ok(r.ok);
  assert.deepEqual(
    r.value.map((a) => [a.addr.text, a.movesCursor]),
    [
      ["10.244.1.77", false],
      ["fd00:10:244:1::2", true],
    ],
  );
});

test("a range set serves its family", () => {
  const { view, held } = createOccupancy();
  held.set("10.244.1.30", 1);
  const sets = [[range("10.244.1.15", "10.244.1.18"), range("10.244.1.30", "10.244.1.31")]];
  assert.deepEqual(texts(ask({ sets }), view), ["10.244.1.31", "fd00:10:244:1::2"]);
  assert.deepEqual(texts(ask({ sets, statics: ["10.244.1.31"] }), view), ["10.244.1.31", "fd00:10:244:1::2"]);
});

const REFUSALS: readonly [name: string, request: ReturnType<typeof ask>, want: RegExp][] = [
  ["outside all pools", ask({ statics: ["192.0.2.1"] }), /^not-allowed: .*"192.0.2.1".* lie in "10.244.1.0\/24"/],
  ["a family without a pool", ask({ pools: [V4], statics: ["fd00::9"] }), /^not-allowed: .*no IPv6 pool/],
  ["the router's", ask({ statics: ["10.244.1.1"] }), /^not-allowed: .*reserved in pool "10.244.1.0\/24"/],
  ["reserved", ask({ statics: ["10.244.1.12"] }), /^not-allowed: .*reserved/],
  ["in use", ask({ statics: ["10.244.1.50"] }), /^in-use: .*endpoint 7 /],
  ["two of a family", ask({ statics: ["10.244.1.60", "10.244.1.61"] }), /one IPv4 address/],
  [
    "two sets of a family",
    ask({ sets: [[range("10.244.1.60", "10.244.1.60")], [range("10.244.1.61", "10.244.1.61")]] }),
    /2 IPv4 range sets/,
  ],
  ["an empty set", ask({ sets: [[]] }), /without ranges/],
  ["a mixed set", ask({ sets: [[range("10.244.1.60", "10.244.1.60"), range("fd00::1", "fd00::2")]] }), /mixes/],
  [
    "a range outside",
    ask({ sets: [[range("10.244.2.60", "10.244.2.70")]] }),
    /^not-allowed: .*10.244.2.60-10.244.2.70/,
  ],
  [
    "outside its set",
    ask({ sets: [[range("10.244.1.60", "10.244.1.61")]], statics: ["10.244.1.62"] }),
    /outside the ranges/,
  ],
  [
    "a full set",
    ask({ sets: [[range("10.244.1.50", "10.244.1.50")]] }),
    /^exhausted: .*ranges asked for in pool.*1 usable: 1 in use/,
  ],
];

for (const [name, request, want] of REFUSALS)
  test(`refused: ${name}`, () => {
    const { view, held } = createOccupancy();
    held.set("10.244.1.50", 7);
    assert.match(refusal(request, view), want);
  });

test("a random life of a pool agrees with a naive model", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("release" as const), n: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cooled" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("static" as const), n: fc.nat(31) }) },
  );
  const reserve = fc.array(fc.tuple(fc.nat(31), fc.nat(3)), { maxLength: 3 });
  fc.assert(
    fc.property(fc.boolean(), reserve, fc.array(step, { maxLength: 90 }), (six, holes, steps) => {
      const p = prefix(six ? "fd00::/123" : "10.0.0.0/27");
      const size = Number(prefixSize(p));
      const at = (n: number) => nthAddr(p, BigInt(n));
      const pool = makePool(
        "p",
        p,
        holes.map(([a, n]) => rangeOf(at(a), at(Math.min(a + n, size - 1)))),
      );
      const blocked = (n: number) => n <= 1 || (!six && n === size - 1) || holes.some(([a, w]) => a <= n && n <= a + w);
      const usable = Array.from({ length: size }, (_, n) => n).filter((n) => !blocked(n));
      const state = createOccupancy();
      const cooled: number[] = [];
      const held: number[] = [];
      let last = -1;
      let clock = 0;
      for (const s of steps) {
        clock++;
        if (s.kind === "cooled") {
          const n = cooled.shift();
          if (n !== undefined) state.cooling.delete(at(n).text);
        } else if (s.kind === "release" && held.length > 0) {
          const [n = 0] = held.splice(s.n % held.length, 1);
          state.held.delete(at(n).text);
          state.cooling.set(at(n).text, clock);
          cooled.push(n);
        } else if (s.kind === "take" || s.kind === "static") {
          const order = [...usable.filter((n) => n > last), ...usable.filter((n) => n <= last)];
          const model =
            s.kind === "static"
              ? usable.includes(s.n) && !held.includes(s.n)
                ? s.n
                : undefined
              : (order.find((n) => !held.includes(n) && !cooled.includes(n)) ?? cooled[0]);
          const statics = s.kind === "static" ? [at(s.n)] : [];
          const got = allocate({ pools: [pool], statics, rangeSets: [] }, state.view);
          assert.equal(got.ok ? got.value[0]?.addr.text : undefined, model === undefined ? undefined : at(model).text);
          if (model === undefined) continue;
          if (cooled.includes(model)) cooled.splice(cooled.indexOf(model), 1);
          state.cooling.delete(at(model).text);
          held.push(model);
          state.held.set(at(model).text, clock);
          if (s.kind === "take") {
            last = model;
            state.cursors.set("p", at(model));
          }
        }
        const f = poolFigures(pool, state.view);
        assert.equal(f.usable, poolUsable(pool));
        assert.deepEqual(
          [f.used, f.cooling, f.free],
          [held.length, cooled.length, usable.length - held.length - cooled.length].map(BigInt),
        );
      }
    }),
    { numRuns: 200 },
  );
});

test("addresses next to the end of a family's space do not overflow", () => {
  const { view, held } = createOccupancy();
  const pool = makePool("end", prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124"));
  for (let n = 2n; n < 16n; n++) held.set(nthAddr(pool.prefix, n).text, 1);
  assert.match(refusal(ask({ pools: [pool] }), view), /^exhausted/);
  assert.equal(addrToBigint(addrFromBytes(nthAddr(pool.prefix, 15n).bytes)), (1n << 128n) - 1n);
});
