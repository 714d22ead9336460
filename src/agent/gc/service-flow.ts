/** What belongs together of a flow that is translated: its two entries of `service_flows`, and its conntrack entry. */

import {
  decodeServiceFlow,
  decodeServiceFlowKey,
  encodeCtKey,
  encodeServiceFlowKey,
  ServiceFlowFlag,
} from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";

/** Key of the entry of the other direction: the packet that answers what this one's becomes. */
export function otherFlowKey({ key, value }: MapRow): Uint8Array {
  const { protocol } = decodeServiceFlowKey(key);
  const to = decodeServiceFlow(value);
  return encodeServiceFlowKey({
    src: to.dst,
    dst: to.src,
    srcPort: to.dstPort,
    dstPort: to.srcPort,
    protocol,
  });
}

/** Keys under which conntrack has the flow, one of them: it sees the backend, so a reply as it comes and a request as it goes on. */
export function conntrackKeys({ key, value }: MapRow): readonly [Uint8Array, Uint8Array] {
  const from = decodeServiceFlowKey(key);
  const to = decodeServiceFlow(value);
  const seen = (to.flags & ServiceFlowFlag.flowReply) !== 0 ? from : to;
  const src = { addr: seen.src, port: seen.srcPort };
  const dst = { addr: seen.dst, port: seen.dstPort };
  const keyOf = (low: typeof src, high: typeof src) =>
    encodeCtKey({
      low: low.addr,
      lowPort: low.port,
      high: high.addr,
      highPort: high.port,
      protocol: from.protocol,
    });
  return [keyOf(src, dst), keyOf(dst, src)];
}
