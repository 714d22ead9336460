import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addr } from "./addr.ts";
import {
  CONNTRACK_TICKS,
  conntrackExpired,
  conntrackTicks,
  natInKey,
  natOutKey,
  originTuple,
  tickOf,
  ticksSince,
} from "./conntrack.ts";
import { type CtEntry, CtFlag, type CtKey, decodeNatKey, NatDirection } from "./gen/bpf-maps.ts";

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

function key(protocol: number): CtKey {
  return { low: addr("10.244.1.10").bytes, high: addr("198.51.100.10").bytes, lowPort: 4000, highPort: 80, protocol };
}

function entry(change: Partial<CtEntry> = {}): CtEntry {
  return {
    lastSeen: 1000,
    created: 900,
    revision: 1,
    originIdentity: 4,
    replyIdentity: 3,
    egressRule: 0,
    ingressRule: 0,
    flags: 0,
    originSeen: 0,
    replySeen: 0,
    tunnel: new Uint8Array(16),
    ...change,
  };
}

describe("conntrackTicks", () => {
  const cases: [string, number, Partial<CtEntry>, number][] = [
    ["SYN sent", 6, { originSeen: SYN }, CONNTRACK_TICKS.tcpOpening],
    ["SYN answered", 6, { originSeen: SYN, replySeen: SYN | ACK }, CONNTRACK_TICKS.tcpOpening],
    ["established", 6, { originSeen: SYN | ACK, replySeen: SYN | ACK }, CONNTRACK_TICKS.tcpEstablished],
    ["picked up", 6, { originSeen: ACK, flags: CtFlag.pickedUp }, CONNTRACK_TICKS.tcpEstablished],
    ["half closed", 6, { originSeen: SYN | ACK | FIN, replySeen: SYN | ACK }, CONNTRACK_TICKS.tcpHalfClosed],
    ["closed", 6, { originSeen: ACK | FIN, replySeen: ACK | FIN }, CONNTRACK_TICKS.tcpClosed],
    ["reset", 6, { originSeen: SYN, replySeen: RST | ACK }, CONNTRACK_TICKS.tcpClosed],
    ["UDP asked", 17, { originSeen: ACK }, CONNTRACK_TICKS.udpUnreplied],
    ["UDP answered", 17, { originSeen: ACK, replySeen: ACK }, CONNTRACK_TICKS.udpReplied],
    ["ICMP", 1, { originSeen: ACK, replySeen: ACK }, CONNTRACK_TICKS.icmp],
    ["ICMPv6", 58, { originSeen: ACK }, CONNTRACK_TICKS.icmp],
    ["SCTP", 132, { originSeen: ACK }, CONNTRACK_TICKS.other],
  ];
  for (const [name, protocol, change, ticks] of cases)
    it(name, () => assert.equal(conntrackTicks(key(protocol), entry(change)), ticks));
});

describe("conntrackExpired", () => {
  const e = entry({ originSeen: ACK });
  const life = CONNTRACK_TICKS.udpUnreplied;
  it("keeps a flow for its whole life", () => assert.equal(conntrackExpired(key(17), e, 1000 + life), false));
  it("ends it a tick later", () => assert.equal(conntrackExpired(key(17), e, 1001 + life), true));
  it("keeps a flow whose stamp is ahead of our clock", () => assert.equal(conntrackExpired(key(17), e, 999), false));
  it("counts across the wrap of 32 bits", () => assert.equal(ticksSince(0xffff_fffe, 3), 5));
});

describe("tickOf", () => {
  it("is the time over 2^30", () => assert.equal(tickOf(5n * (1n << 30n) + 7n), 5));
  it("wraps as the programs' does", () => assert.equal(tickOf((1n << 62n) + (3n << 30n)), 3));
});

describe("NAT entries of a flow", () => {
  const out = { addr: addr("192.168.77.11").bytes, port: 20_000, created: 1 };
  it("are found from a flow whose low side began", () => {
    const flow = originTuple(key(6), entry());
    assert.deepEqual([flow.srcPort, flow.dstPort], [4000, 80]);
    const outKey = decodeNatKey(natOutKey(flow));
    assert.deepEqual([outKey.srcPort, outKey.dstPort, outKey.direction], [4000, 80, NatDirection.out]);
    const inKey = decodeNatKey(natInKey(flow, out));
    assert.deepEqual([inKey.srcPort, inKey.dstPort, inKey.direction], [80, 20_000, NatDirection.in]);
    assert.deepEqual(inKey.dst, out.addr);
  });
  it("are found from a flow whose high side began", () => {
    const flow = originTuple(key(6), entry({ flags: CtFlag.originHigh }));
    assert.deepEqual([flow.srcPort, flow.dstPort], [80, 4000]);
    assert.deepEqual(flow.src, addr("198.51.100.10").bytes);
  });
  it("have an echo's identifier on the inside only", () => {
    const flow = originTuple({ ...key(1), lowPort: 7, highPort: 7 }, entry());
    const outKey = decodeNatKey(natOutKey(flow));
    assert.deepEqual([outKey.srcPort, outKey.dstPort], [7, 0]);
    const inKey = decodeNatKey(natInKey(flow, out));
    assert.deepEqual([inKey.srcPort, inKey.dstPort], [0, 20_000]);
  });
});
