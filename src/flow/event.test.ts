import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { addr } from "../net/addr.ts";
import { EVENT_BYTES, type Event, encodeEvent, METRIC_NAMES, Metric } from "../net/gen/bpf-maps.ts";
import { decodeFlowEvent, type FlowEvent, kindOf, REASON_OFFSET, reasonName } from "./event.ts";
import { protocolName, tcpFlagsText } from "./protocols.ts";
import { EVENT_REASONS, reasonText } from "./reasons.ts";
import { viewOf } from "./records.ts";
import { DENIED_EVENT } from "./testing.ts";

const DENIED: Event = { ...DENIED_EVENT, timeNs: 12_345_678_901_234n, dstPort: 5432 };

function decode(e: Event): FlowEvent {
  const found = decodeFlowEvent(viewOf(encodeEvent(e)), 0, EVENT_BYTES);
  assert.ok(found);
  return found;
}

test("a denied packet: both ends, ports and what policy said", () => {
  const e = decode(DENIED);
  assert.deepEqual(
    [e.kind, e.reason, e.hook, e.timeNs, e.ifindex, e.bytes],
    ["denied", "policy", "from_pod", 12_345_678_901_234n, 7, 74],
  );
  assert.deepEqual([e.source?.addr.text, e.source?.port], ["10.244.1.5", 40_000]);
  assert.deepEqual([e.destination?.addr.text, e.destination?.port], ["10.244.2.9", 5432]);
  assert.deepEqual([e.family, e.protocol, e.tcpFlags, e.icmp], [4, 6, 2, undefined]);
  assert.deepEqual(e.policy, {
    direction: "egress",
    isAllowed: false,
    rule: 17,
    sourceIdentity: 300,
    destinationIdentity: 301,
    bank: 4,
  });
});

test("ICMP has type, code and identifier, and no ports", () => {
  const e = decode({ ...DENIED, protocol: 58, family: 6, srcPort: 0x8000, dstPort: 77, src: addr("fd00::1").bytes });
  assert.deepEqual(e.icmp, { type: 128, code: 0, id: 77 });
  assert.deepEqual(
    [e.source?.addr.text, e.source?.port, e.destination?.port, e.tcpFlags],
    ["fd00::1", undefined, undefined, undefined],
  );
});

test("what was not parsed is not made up, whatever its bytes are", () => {
  const e = decode({ ...DENIED, reason: Metric.dropNotIp, family: 0, direction: 0, etherType: 0x88cc });
  assert.deepEqual(
    [e.kind, e.reason, e.family, e.protocol, e.source, e.destination, e.icmp, e.tcpFlags, e.policy],
    ["drop", "not_ip", undefined, undefined, undefined, undefined, undefined, undefined, undefined],
  );
  assert.equal(e.etherType, 0x88cc);
});

test("kinds by the number of the reason", () => {
  assert.deepEqual(
    [Metric.dropNoRoute, Metric.dropPolicy, Metric.policyLogged, Metric.policyStaged, 4_000_000_000].map(kindOf),
    ["drop", "denied", "logged", "staged", "drop"],
  );
  const view = viewOf(encodeEvent({ ...DENIED, reason: 0x01020304 }));
  assert.equal(view.getUint32(REASON_OFFSET, true), 0x01020304, "the reason is where it is read without decoding");
});

test("reasons and hooks that are not known have their number", () => {
  const e = decode({ ...DENIED, reason: 4000, hook: 200 });
  assert.deepEqual(
    [e.kind, e.reason, e.hook, reasonText(e.reason)],
    ["drop", "unknown_4000", "unknown_200", "unknown 4000"],
  );
});

test("every reason that an event can have has words", () => {
  for (const reason of EVENT_REASONS) assert.notEqual(reasonText(reason), reason.replaceAll("_", " "), reason);
});

test("the reasons that can be asked for are those that the programs tell", () => {
  // What `is_quiet` in bpf/lib/metrics.h holds back is no event's reason.
  const quiet = readFileSync(new URL("../../bpf/lib/metrics.h", import.meta.url), "utf8").match(
    /reason == METRIC_(\w+);/g,
  );
  assert.deepEqual(quiet, ["reason == METRIC_DROP_ROUTER_REDIRECT;"]);
  const drops = [...METRIC_NAMES.values()].filter((n) => n.startsWith("drop_") && n !== "drop_router_redirect");
  assert.deepEqual(
    [...EVENT_REASONS].sort(),
    [...drops.map((n) => n.slice(5)), "policy_logged", "policy_staged"].sort(),
  );
});

test("protocols and TCP flags in words", () => {
  assert.deepEqual([6, 58, 200].map(protocolName), ["TCP", "ICMPv6", "protocol 200"]);
  assert.deepEqual([0x12, 0, 0x11].map(tcpFlagsText), ["SYN,ACK", "", "FIN,ACK"]);
});

const u = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });

const anyEvent: fc.Arbitrary<Event> = fc.record({
  timeNs: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  reason: fc.oneof(fc.constantFrom(...METRIC_NAMES.keys()), u(32)),
  ifindex: u(32),
  src: bytes(16),
  dst: bytes(16),
  srcPort: u(16),
  dstPort: u(16),
  protocol: fc.oneof(fc.constantFrom(1, 6, 17, 58, 132), u(8)),
  hook: u(8),
  tcpFlags: u(8),
  family: fc.oneof(fc.constantFrom(0, 4, 6), u(8)),
  bytes: u(32),
  etherType: u(16),
  direction: u(8),
  isAllowed: u(8),
  rule: u(32),
  srcIdentity: u(32),
  dstIdentity: u(32),
  bank: u(32),
});

test("nothing of an event is lost: from the decoded one its bytes can be had again", () => {
  fc.assert(
    fc.property(anyEvent, (raw) => {
      const e = decode(raw);
      assert.equal(e.reason, reasonName(raw.reason));
      const isParsed = raw.family === 4 || raw.family === 6;
      const isIcmp = isParsed && (raw.protocol === 1 || raw.protocol === 58);
      const hasPorts = isParsed && [6, 17, 132, 136].includes(raw.protocol);
      const hasPolicy = raw.direction === 1 || raw.direction === 2;
      const again: Event = {
        timeNs: e.timeNs,
        reason: raw.reason,
        ifindex: e.ifindex,
        src: e.source?.addr.bytes ?? raw.src,
        dst: e.destination?.addr.bytes ?? raw.dst,
        srcPort: e.icmp === undefined ? (e.source?.port ?? raw.srcPort) : (e.icmp.type << 8) | e.icmp.code,
        dstPort: e.icmp?.id ?? e.destination?.port ?? raw.dstPort,
        protocol: e.protocol ?? raw.protocol,
        hook: raw.hook,
        tcpFlags: e.tcpFlags ?? raw.tcpFlags,
        family: e.family ?? raw.family,
        bytes: e.bytes,
        etherType: e.etherType,
        direction: { ingress: 1, egress: 2, none: raw.direction }[e.policy?.direction ?? "none"],
        isAllowed: e.policy?.isAllowed === true ? raw.isAllowed : hasPolicy ? 0 : raw.isAllowed,
        rule: e.policy?.rule ?? raw.rule,
        srcIdentity: e.policy?.sourceIdentity ?? raw.srcIdentity,
        dstIdentity: e.policy?.destinationIdentity ?? raw.dstIdentity,
        bank: e.policy?.bank ?? raw.bank,
      };
      assert.deepEqual(Buffer.from(encodeEvent(again)), Buffer.from(encodeEvent(raw)));
      assert.deepEqual(
        [e.source !== undefined, e.icmp !== undefined, e.source?.port !== undefined, e.policy !== undefined],
        [isParsed, isIcmp, hasPorts, hasPolicy],
      );
    }),
  );
});

test("any bytes are an event or none, and never a failure", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: -8, max: 220 }),
      fc.integer({ min: 0, max: 220 }),
      (b, at, n) => {
        const e = decodeFlowEvent(viewOf(b), at, n);
        const fits = n === EVENT_BYTES && at >= 0 && at + n <= b.length;
        assert.equal(e !== undefined, fits);
        if (e !== undefined)
          for (const key of ["kind", "reason", "hook", "family", "source", "destination", "icmp", "policy"] as const)
            void e[key];
      },
    ),
  );
});
