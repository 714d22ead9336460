/** When a tracked flow is over. Times in seconds; the kernel's map counts in ticks. */

import type { CtEntry } from "../../net/gen/bpf-maps.ts";

/** Bits of a tick: CLOCK_MONOTONIC nanoseconds >> 30 (`TICK_SHIFT` of the programs). */
const TICK_SHIFT = 30n;

/** Bits of `originSeen` and `replySeen`. */
const SEEN = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

/** Idle seconds after which a flow is forgotten. */
export const TIMEOUT_SECONDS = {
  /** TCP: only one side has spoken. */
  tcpOpening: 60,
  /** TCP: both sides have spoken. Well above the two hours of Linux' keepalive. */
  tcpEstablished: 21_600,
  /** TCP: one side has closed; the other may go on sending, and each packet counts anew. */
  tcpHalfClosed: 300,
  /** TCP: both sides have closed, or one has reset. Above the time that a late retransmission takes. */
  tcpClosed: 10,
  /** UDP: unanswered. */
  udpOneWay: 30,
  udpBothWays: 180,
  icmp: 30,
  /** Any other protocol. */
  other: 600,
} as const;

/** Now, as the programs write it. @param monotonicNs CLOCK_MONOTONIC */
export function tickOf(monotonicNs: bigint): number {
  return Number(BigInt.asUintN(32, monotonicNs >> TICK_SHIFT));
}

/** Ticks of a number of seconds, rounded up. */
export function ticks(seconds: number): number {
  return Math.ceil((seconds * 1e9) / 2 ** 30);
}

/** Ticks since a tick in the past; ticks are 32 bits and wrap after a century, so this never goes backwards. */
export function ageTicks(nowTick: number, thenTick: number): number {
  const age = (nowTick - thenTick) | 0;
  // Written by a program after this look at the clock.
  return Math.max(0, age);
}

function tcpTimeout(e: CtEntry): number {
  const both = e.originSeen & e.replySeen;
  if (((e.originSeen | e.replySeen) & SEEN.rst) !== 0 || (both & SEEN.fin) !== 0) return TIMEOUT_SECONDS.tcpClosed;
  if (((e.originSeen | e.replySeen) & SEEN.fin) !== 0) return TIMEOUT_SECONDS.tcpHalfClosed;
  return (both & SEEN.ack) !== 0 ? TIMEOUT_SECONDS.tcpEstablished : TIMEOUT_SECONDS.tcpOpening;
}

/** Idle seconds after which this flow is forgotten. */
export function timeoutSeconds(protocol: number, e: CtEntry): number {
  switch (protocol) {
    case PROTOCOL.tcp:
      return tcpTimeout(e);
    case PROTOCOL.udp:
      return e.originSeen !== 0 && e.replySeen !== 0 ? TIMEOUT_SECONDS.udpBothWays : TIMEOUT_SECONDS.udpOneWay;
    case PROTOCOL.icmp:
    case PROTOCOL.icmp6:
      return TIMEOUT_SECONDS.icmp;
    default:
      return TIMEOUT_SECONDS.other;
  }
}
