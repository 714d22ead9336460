/** Values of per-CPU maps: each CPU has a part of its own, one after the other. */

import { decodeSockMetricValueAt, SOCK_METRIC_VALUE_BYTES } from "./gen/bpf-maps.ts";

/** What `sock_metrics` has counted under one name, on all CPUs. */
export function sockMetricSum(value: Uint8Array): number {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  let sum = 0n;
  for (let at = 0; at + SOCK_METRIC_VALUE_BYTES <= value.byteLength; at += SOCK_METRIC_VALUE_BYTES)
    sum += decodeSockMetricValueAt(view, at).count;
  return Number(sum);
}
