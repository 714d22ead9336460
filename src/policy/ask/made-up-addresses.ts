/**
 * Addresses for pods of a directory that have none: manifests say what pods are and not where. They are of the networks for
 * benchmarks (RFC 2544: 198.18.0.0/15, RFC 5180: 2001:2::/48), which no policy means.
 */

import type { Node } from "../../model/node.ts";
import { type Pod, podKey } from "../../model/pod.ts";
import type { Addr, Family } from "../../net/addr.ts";
import { nthAddr, prefix } from "../../net/prefix.ts";

const NETWORKS = { 4: prefix("198.18.0.0/15"), 6: prefix("2001:2::/48") } as const;
/** As many as the smaller network has. */
const MAX_MADE_UP = 131_000;

/** Families that the cluster speaks, as far as its addresses show; where none does, IPv4. */
function familiesOf(pods: readonly Pod[], nodes: readonly Node[]): Family[] {
  const addrs = [...pods.flatMap((p) => p.podIps), ...nodes.flatMap((n) => n.internalIps)];
  const seen = new Set<Family>([
    ...addrs.map((a) => a.family),
    ...nodes.flatMap((n) => n.podCidrs.map((c) => c.family)),
  ]);
  return seen.size === 0 ? [4] : [...seen].sort();
}

/** The pods with addresses, and the keys of those whose addresses were made up. The same pods get the same ones. */
export function withAddresses(
  pods: Iterable<Pod>,
  nodes: Iterable<Node>,
): { readonly pods: ReadonlyMap<string, Pod>; readonly madeUp: readonly string[] } {
  const all = [...pods].sort((a, b) => (podKey(a.namespace, a.name) < podKey(b.namespace, b.name) ? -1 : 1));
  const families = familiesOf(all, [...nodes]);
  const out = new Map<string, Pod>();
  const madeUp: string[] = [];
  for (const pod of all) {
    const key = podKey(pod.namespace, pod.name);
    const hasEnded = pod.phase === "Succeeded" || pod.phase === "Failed";
    const isWithout = pod.podIps.length === 0 && !pod.isHostNetwork && !hasEnded;
    if (!isWithout || madeUp.length >= MAX_MADE_UP) {
      out.set(key, pod);
      continue;
    }
    const n = BigInt(madeUp.length + 1);
    const podIps: Addr[] = families.map((f) => nthAddr(NETWORKS[f], n));
    out.set(key, { ...pod, podIps });
    madeUp.push(key);
  }
  return { pods: out, madeUp };
}
