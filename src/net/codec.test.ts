import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  decodeCtEntry,
  decodeEndpoint,
  decodeEvent,
  decodeNatKey,
  encodeCtEntry,
  encodeEndpoint,
  encodeEvent,
  encodeNatKey,
} from "./gen/bpf-maps.ts";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });

describe("generated codecs", () => {
  it("give back what they were given", () => {
    const natKey = fc.record({
      src: bytes(16),
      dst: bytes(16),
      srcPort: u16,
      dstPort: u16,
      protocol: u8,
      direction: u8,
    });
    fc.assert(fc.property(natKey, (v) => assert.deepEqual(decodeNatKey(encodeNatKey(v)), { ...v })));
    const endpoint = fc.record({ ifindex: u32, identity: u32, flags: u32, mac: bytes(6), hostMac: bytes(6) });
    fc.assert(fc.property(endpoint, (v) => assert.deepEqual(decodeEndpoint(encodeEndpoint(v)), { ...v })));
  });

  it("accept any bytes of the right number and keep all but padding", () => {
    fc.assert(fc.property(bytes(48), (b) => assert.deepEqual(encodeCtEntry(decodeCtEntry(b)), b)));
    fc.assert(
      fc.property(bytes(64), (b) => {
        const kept = b.slice();
        kept.fill(0, 62);
        assert.deepEqual(encodeEvent(decodeEvent(b)), kept);
      }),
    );
  });

  it("write ports in network order and counts in the machine's", () => {
    const key = {
      src: new Uint8Array(16),
      dst: new Uint8Array(16),
      srcPort: 0x1234,
      dstPort: 1,
      protocol: 6,
      direction: 1,
    };
    assert.equal(Buffer.from(encodeNatKey(key).subarray(32)).toString("hex"), "1234000106010000");
  });

  it("refuse what does not fit", () => {
    const e = { ifindex: 1, identity: 1, flags: 0, mac: new Uint8Array(6), hostMac: new Uint8Array(6) };
    assert.throws(() => encodeEndpoint({ ...e, ifindex: 2 ** 32 }), /endpoint\.ifindex: 4294967296/);
    assert.throws(() => encodeEndpoint({ ...e, identity: -1 }), RangeError);
    assert.throws(() => encodeEndpoint({ ...e, mac: new Uint8Array(5) }), /5 bytes where 6/);
    assert.throws(() => decodeEndpoint(new Uint8Array(23)), /23 bytes: 24/);
  });
});
