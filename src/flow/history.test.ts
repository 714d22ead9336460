import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addr } from "../net/addr.ts";
import { encodeEvent } from "../net/gen/bpf-maps.ts";
import { EventHistory } from "./history.ts";

function bytes(n: number): Uint8Array {
  const nothing = { tcpFlags: 0, ifindex: 1, bytes: 1, etherType: 0x800, direction: 0, isAllowed: 0, rule: 0 };
  const ends = {
    src: addr("10.0.0.1").bytes,
    dst: addr("10.0.0.2").bytes,
    srcPort: n,
    dstPort: 2,
    protocol: 17,
    family: 4,
  };
  const identities = { srcIdentity: 0, dstIdentity: 0, bank: 0 };
  return encodeEvent({ ...nothing, ...ends, ...identities, timeNs: BigInt(n), reason: 45, hook: 1 });
}

test("the last events, oldest first, as a list that is cut would have them", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(30), fc.nat(10), (capacity, count, limit) => {
      const history = new EventHistory(capacity);
      const all = Array.from({ length: count }, (_, i) => i);
      for (const n of all) history.push(Uint8Array.from([9, 9, ...bytes(n)]), 2);
      const isEven = (n: number) => n % 2 === 0;
      const kept = all.slice(-capacity);
      const times = (list: readonly { timeNs: bigint }[]) => list.map((e) => Number(e.timeNs));
      assert.equal(history.size, kept.length);
      assert.deepEqual(times(history.last(limit)), limit === 0 ? [] : kept.slice(-limit));
      const even = kept.filter(isEven);
      assert.deepEqual(
        times(history.last(limit, (e) => isEven(Number(e.timeNs)))),
        limit === 0 ? [] : even.slice(-limit),
      );
    }),
  );
});
