/**
 * What user space knows about the data plane's flow entries: when one has expired, and which NAT entries go with it.
 *
 * The programs never delete: they stamp `lastSeen` (at most once a tick) and remember the TCP flags of both sides; the agent
 * walks the maps in batches and deletes what {@link conntrackExpired} names. A flow's pair of NAT entries lives exactly as long as
 * the flow: delete the pair ({@link natOutKey}, {@link natInKey}) when the flow goes. A pair without a flow is left over from a race or a
 * crash: delete it when its `created` is older than {@link NAT_ORPHAN_TICKS}.
 */

import { type CtEntry, CtFlag, type CtKey, encodeNatKey, NatDirection, type NatEntry } from "./gen/bpf-maps.ts";

/** A tick is 2^30 ns of CLOCK_MONOTONIC, about 1.07 s (TICK_SHIFT in bpf/lib/types.h). */
const TICK_SHIFT = 30n;

/** The tick of a CLOCK_MONOTONIC time in nanoseconds, as of `process.hrtime.bigint()`. */
export function tickOf(monotonicNs: bigint): number {
  return Number((monotonicNs >> TICK_SHIFT) & 0xffff_ffffn);
}

const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const;
const TCP = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

/** Life of an idle flow by what is known of it, in ticks (each 1.07 s). */
export const CONNTRACK_TICKS = {
  /** Longer than TCP's default keep-alive of two hours, which is all that idle connections live by. */
  tcpEstablished: 21_600,
  /** Handshake not finished: longer than the retransmissions of a SYN that still may succeed. */
  tcpOpening: 120,
  /** One side has closed; the other may still send. */
  tcpHalfClosed: 900,
  /** Both sides closed, or reset: late segments and TIME_WAIT. */
  tcpClosed: 60,
  udpReplied: 180,
  udpUnreplied: 30,
  icmp: 30,
  other: 600,
} as const;

/** An allocation whose flow's entry was not seen by then belongs to no flow. */
export const NAT_ORPHAN_TICKS = 30;

function tcpTicks(entry: CtEntry): number {
  const either = entry.originSeen | entry.replySeen;
  const both = entry.originSeen & entry.replySeen;
  if ((either & TCP.rst) !== 0 || (both & TCP.fin) !== 0) return CONNTRACK_TICKS.tcpClosed;
  if ((either & TCP.fin) !== 0) return CONNTRACK_TICKS.tcpHalfClosed;
  if ((both & TCP.ack) !== 0) return CONNTRACK_TICKS.tcpEstablished;
  // A connection first seen in its middle may have a side that is silent for long.
  return (entry.flags & CtFlag.pickedUp) !== 0 ? CONNTRACK_TICKS.tcpEstablished : CONNTRACK_TICKS.tcpOpening;
}

/** How long a flow in that state may be idle, in ticks. */
export function conntrackTicks(key: CtKey, entry: CtEntry): number {
  switch (key.protocol) {
    case PROTOCOL.tcp:
      return tcpTicks(entry);
    case PROTOCOL.udp:
      return entry.replySeen !== 0 ? CONNTRACK_TICKS.udpReplied : CONNTRACK_TICKS.udpUnreplied;
    case PROTOCOL.icmp:
    case PROTOCOL.icmp6:
      return CONNTRACK_TICKS.icmp;
    default:
      return CONNTRACK_TICKS.other;
  }
}

/** Ticks from an earlier stamp to now; a stamp of the near future (another CPU's clock read) is 0. */
export function ticksSince(stamp: number, nowTick: number): number {
  const passed = (nowTick - stamp) | 0;
  return Math.max(passed, 0);
}

/** Whether the agent may delete the flow. */
export function conntrackExpired(key: CtKey, entry: CtEntry, nowTick: number): boolean {
  return ticksSince(entry.lastSeen, nowTick) > conntrackTicks(key, entry);
}

/** The flow in the direction of its first packet. ICMP echo has its identifier as both ports. */
export interface FlowTuple {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly protocol: number;
}

/** Which side began the flow, and which was meant. */
export function originTuple(key: CtKey, entry: CtEntry): FlowTuple {
  const low = { addr: key.low, port: key.lowPort };
  const high = { addr: key.high, port: key.highPort };
  const [from, to] = (entry.flags & CtFlag.originHigh) !== 0 ? [high, low] : [low, high];
  return { src: from.addr, dst: to.addr, srcPort: from.port, dstPort: to.port, protocol: key.protocol };
}

function isEcho(protocol: number): boolean {
  return protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmp6;
}

/** Key of the outgoing NAT entry that a flow has if it is masqueraded. */
export function natOutKey(flow: FlowTuple): Uint8Array {
  const dstPort = isEcho(flow.protocol) ? 0 : flow.dstPort;
  return encodeNatKey({ ...flow, dstPort, direction: NatDirection.out });
}

/** Key of the incoming NAT entry that belongs to the outgoing one with that value. */
export function natInKey(flow: FlowTuple, out: NatEntry): Uint8Array {
  const srcPort = isEcho(flow.protocol) ? 0 : flow.dstPort;
  return encodeNatKey({
    src: flow.dst,
    dst: out.addr,
    srcPort,
    dstPort: out.port,
    protocol: flow.protocol,
    direction: NatDirection.in,
  });
}
