/** Values of per-CPU maps: each CPU has a part of its own, one after the other. */

import {
  decodeMetricValueAt,
  decodeSockMetricValueAt,
  METRIC_VALUE_BYTES,
  SOCK_METRIC_VALUE_BYTES,
} from "./gen/bpf-maps.ts";

/** What `metrics` or `policy_hits` have counted under one key, on all CPUs. */
export function metricSum(value: Uint8Array): { readonly packets: number; readonly bytes: number } {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  let [packets, bytes] = [0n, 0n];
  for (let at = 0; at + METRIC_VALUE_BYTES <= value.byteLength; at += METRIC_VALUE_BYTES) {
    const part = decodeMetricValueAt(view, at);
    packets += part.packets;
    bytes += part.bytes;
  }
  return { packets: Number(packets), bytes: Number(bytes) };
}

/** What `sock_metrics` has counted under one name, on all CPUs. */
export function sockMetricSum(value: Uint8Array): number {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  let sum = 0n;
  for (let at = 0; at + SOCK_METRIC_VALUE_BYTES <= value.byteLength; at += SOCK_METRIC_VALUE_BYTES)
    sum += decodeSockMetricValueAt(view, at).count;
  return Number(sum);
}
