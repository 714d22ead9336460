/**
 * What stands in the kernel for a pod with a limited bandwidth: a pair of devices between the host end of its veth and all
 * programs. The pod cannot reach it, and everything else works as for any other pod (bpf/shape.c).
 */

import type { Bandwidth, Endpoint } from "../model/endpoint.ts";
import { encodeShaper, encodeShaperKey } from "../net/gen/bpf-maps.ts";
import { GATEWAY_MAC, shaperNames } from "./names.ts";
import type { AttachRow, LinkRow, MapRow, QdiscRow } from "./rows.ts";

/** Name of the map that joins the host end and the pair. */
export const SHAPERS_MAP = "shapers";

const U32_MAX = 0xffff_ffff;
/** An Ethernet header and a VLAN tag: what a packet has besides its device's MTU. */
const FRAME_BYTES = 18;
/** So much may wait beside what the bucket lets pass at once: senders' segments come in pieces of up to 64 KiB. */
const QUEUE_BYTES = 128 * 1024;
/** The latency that the reference plugin's queues have. */
const QUEUE_S = 0.025;
/** A bucket that nobody gave a size holds what is sent in this time. */
const DEFAULT_BURST_S = 0.1;
/** The kernel tells a bucket's depth as a time of at most 274 s, in steps of 64 ns. */
const BURST_MAX_S = 200;
/** At more a bucket would be a few steps deep; no device is that fast. */
const RATE_MAX_BYTES = 1.25e12;

/** Whether the pod's traffic is limited in either direction. */
export function isShaped(e: Pick<Endpoint, "download" | "upload">): boolean {
  return e.download !== undefined || e.upload !== undefined;
}

/**
 * A limit as the kernel's token bucket. A bucket that no packet fits in would let nothing pass, and one whose queue is as long as the
 * runtime's burst (256 MiB from containerd) would keep packets for minutes. Rates that the kernel has no bucket for are brought
 * to the nearest that it has.
 */
export function bucketOf(limit: Bandwidth, link: string, mtuBytes: number): QdiscRow {
  const leastRate = Math.ceil((mtuBytes + FRAME_BYTES) / BURST_MAX_S);
  const rateBytes = Math.min(RATE_MAX_BYTES, Math.max(leastRate, Math.ceil(limit.rateBits / 8)));
  const asked =
    limit.burstBits === 0 ? Math.max(QUEUE_BYTES, rateBytes * DEFAULT_BURST_S) : Math.ceil(limit.burstBits / 8);
  const most = Math.min(U32_MAX, Math.max(rateBytes * BURST_MAX_S, mtuBytes + FRAME_BYTES));
  const burstBytes = Math.round(Math.min(most, Math.max(asked, mtuBytes + FRAME_BYTES)));
  const limitBytes = Math.min(U32_MAX, Math.round(rateBytes * QUEUE_S) + Math.max(QUEUE_BYTES, mtuBytes));
  return { link, rateBytes, burstBytes, limitBytes };
}

/** The pair's rows; none of a pod without a limit. */
export interface ShaperRows {
  readonly links: readonly LinkRow[];
  readonly qdiscs: readonly QdiscRow[];
  readonly attachments: readonly AttachRow[];
}

const NONE: ShaperRows = { links: [], qdiscs: [], attachments: [] };

/** What does not depend on devices' indexes. The host end's own program is `endpointAttachment`. */
export function shaperRows(e: Endpoint): ShaperRows {
  if (!isShaped(e)) return NONE;
  const { link, peer } = shaperNames(e.hostIfname);
  const { mtuBytes } = e;
  return {
    links: [{ kind: "veth", name: link, mac: GATEWAY_MAC, peer, peerMac: GATEWAY_MAC, mtuBytes }],
    qdiscs: [
      ...(e.upload === undefined ? [] : [bucketOf(e.upload, link, mtuBytes)]),
      ...(e.download === undefined ? [] : [bucketOf(e.download, peer, mtuBytes)]),
    ],
    attachments: [
      { link, direction: "ingress", program: "shape", by: "clsact" },
      { link: peer, direction: "ingress", program: "from_pod", by: "clsact" },
    ],
  };
}

/** Entries of {@link SHAPERS_MAP}: from the pod to the pair, and from the pair to the pod. */
export function shaperMapRows(hostIfindex: number, shaperIfindex: number): readonly MapRow[] {
  return [
    { key: encodeShaperKey({ ifindex: hostIfindex }), value: encodeShaper({ ifindex: shaperIfindex, isPod: 0 }) },
    { key: encodeShaperKey({ ifindex: shaperIfindex }), value: encodeShaper({ ifindex: hostIfindex, isPod: 1 }) },
  ];
}
