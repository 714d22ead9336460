import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addr } from "../addr.ts";
import { mac } from "../mac.ts";
import { arpAnnouncement, arpProbe, arpReply, readArp } from "./arp.ts";
import { advertisement, probeSolicitation, readNeighbour, solicitedNode } from "./discovery.ts";

const OWN = mac("02:00:00:00:00:01");
const OTHER = mac("02:00:00:00:00:02");
const V4 = addr("192.0.2.10");
const V6 = addr("2001:db8::ab:cdef");

test("ARP's frames are read back as what they say, and are as long as Ethernet wants them", () => {
  const request = { operation: "request", senderMac: OTHER, sender: addr("192.0.2.1"), target: V4 } as const;
  for (const [frame, operation, sender, target] of [
    [arpProbe(OWN, V4), "request", "0.0.0.0", V4.text],
    [arpAnnouncement(OWN, V4), "request", V4.text, V4.text],
    [arpReply(OWN, request), "reply", V4.text, "192.0.2.1"],
  ] as const) {
    const read = readArp(frame);
    assert.deepEqual(
      [read?.operation, read?.senderMac, read?.sender.text, read?.target.text],
      [operation, OWN, sender, target],
    );
    assert.equal(frame.length, 60);
  }
});

/** RFC 1071: with the checksum in it, the sum over pseudo-header and message is all ones. */
function sumOf(frame: Uint8Array): number {
  const message = frame.subarray(54);
  let sum = message.length + 58;
  for (const part of [frame.subarray(22, 54), message])
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

test("neighbour discovery's frames are read back, with hop limit 255 and a right checksum", () => {
  const asker = { addr: addr("fe80::1"), mac: OTHER };
  for (const [frame, kind, named, to] of [
    [advertisement(OWN, V6, asker), "advertisement", OWN, "02:00:00:00:00:02"],
    [advertisement(OWN, V6, undefined), "advertisement", OWN, "33:33:00:00:00:01"],
    [probeSolicitation(OWN, V6), "solicitation", undefined, "33:33:ff:ab:cd:ef"],
  ] as const) {
    const read = readNeighbour(frame.subarray(54));
    assert.deepEqual([read?.kind, read?.target.text, read?.mac], [kind, V6.text, named]);
    assert.equal(Buffer.from(frame.subarray(0, 6)).toString("hex"), to.replaceAll(":", ""));
    assert.equal(frame[21], 255);
    assert.equal(sumOf(frame), 0xffff);
  }
  assert.equal(Buffer.from(solicitedNode(V6)).toString("hex"), "ff0200000000000000000001ffabcdef");
});

test("bytes of any kind are read without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      readArp(bytes);
      readNeighbour(bytes);
    }),
  );
});
