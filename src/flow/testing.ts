/** For tests: an event as the data plane makes it. */

import { addr } from "../net/addr.ts";
import { type Event, Metric } from "../net/gen/bpf-maps.ts";

/** A SYN that policy denied at its receiver. */
export const DENIED_EVENT: Event = {
  timeNs: 1n,
  reason: Metric.dropPolicy,
  ifindex: 7,
  src: addr("10.244.1.5").bytes,
  dst: addr("10.244.2.9").bytes,
  srcPort: 40_000,
  dstPort: 80,
  protocol: 6,
  hook: 1,
  tcpFlags: 2,
  family: 4,
  bytes: 74,
  etherType: 0x0800,
  direction: 2,
  isAllowed: 0,
  rule: 17,
  srcIdentity: 300,
  dstIdentity: 301,
  bank: 4,
};
