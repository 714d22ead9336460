/** What a service asks of a load balancer: by fields, by Twill's annotations, and by those of the peers that people bring along. */

import type { Service } from "../../model/service.ts";
import { type Addr, parseAddr } from "../../net/addr.ts";

/** Classes that Twill serves beside services without one; the last two are Cilium's names for what Twill does. */
const CLASSES: ReadonlySet<string> = new Set(["twill.dev/load-balancer", "io.cilium/l2-announcer"]);

const ADDRESSES = [
  "twill.dev/load-balancer-ips",
  "lbipam.cilium.io/ips",
  "io.cilium/lb-ipam-ips",
  "metallb.io/loadBalancerIPs",
  "metallb.universe.tf/loadBalancerIPs",
  "projectcalico.org/loadBalancerIPs",
] as const;

const POOLS = [
  "twill.dev/load-balancer-pool",
  "metallb.io/address-pool",
  "metallb.universe.tf/address-pool",
  "projectcalico.org/ipv4pools",
  "projectcalico.org/ipv6pools",
] as const;

const SHARING = [
  "twill.dev/load-balancer-sharing-key",
  "lbipam.cilium.io/sharing-key",
  "io.cilium/lb-ipam-sharing-key",
  "metallb.io/allow-shared-ip",
  "metallb.universe.tf/allow-shared-ip",
] as const;

/** See the file's comment. */
export interface Wish {
  /** These and no others; empty: any. */
  readonly addrs: readonly Addr[];
  /** Names of pools; empty: any automatic one. */
  readonly pools: readonly string[];
  /** Services of the same key may have one address, where their ports differ; undefined: it shares with nobody. */
  readonly sharingKey: string | undefined;
  /** What of it makes no sense. */
  readonly problem: string | undefined;
}

/** Whether Twill gives addresses to the service: other controllers have theirs. */
export function isServed(s: Service): boolean {
  return s.type === "LoadBalancer" && (s.loadBalancerClass === undefined || CLASSES.has(s.loadBalancerClass));
}

/** Words of a list as Calico writes it (JSON) or as everybody else does (by commas). */
function words(text: string): string[] {
  return text
    .replace(/^\s*\[|\]\s*$/g, "")
    .split(",")
    .map((w) => w.trim().replace(/^"|"$/g, ""))
    .filter((w) => w !== "");
}

/** The first of the annotations that is there. */
function annotation(s: Service, keys: readonly string[]): readonly [key: string, text: string] | undefined {
  for (const key of keys) {
    const text = s.annotations.get(key);
    if (text !== undefined && text.trim() !== "") return [key, text];
  }
  return undefined;
}

/** Annotations win over `spec.loadBalancerIP`, which can name one family only. */
export function wishOf(s: Service): Wish {
  const asked = annotation(s, ADDRESSES);
  const addrs: Addr[] = [];
  let problem: string | undefined;
  for (const word of asked === undefined ? [] : words(asked[1])) {
    const parsed = parseAddr(word);
    if (parsed.ok) addrs.push(parsed.value);
    else problem ??= `Annotation ${asked?.[0]}: ${parsed.error}`;
  }
  if (asked === undefined && s.requestedIp !== undefined) addrs.push(s.requestedIp);
  return {
    addrs,
    pools: POOLS.flatMap((key) => words(s.annotations.get(key) ?? "")),
    sharingKey: annotation(s, SHARING)?.[1].trim(),
    problem,
  };
}
