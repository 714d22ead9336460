/**
 * Which addresses the services of type LoadBalancer shall have. What a service has stands in its status and nowhere else: it keeps
 * that as long as it may, older services before younger ones; then who has none gets the lowest that is free. So every
 * agent that looks at the same objects comes to the same answer, and what a deleted service had is free at once.
 */

import type { LoadBalancerPool } from "../../model/load-balancer-pool.ts";
import type { Service } from "../../model/service.ts";
import { type Addr, addrFromBigint, addrToBigint, type Family } from "../../net/addr.ts";
import { type AddrRange, rangeHas } from "../../net/range.ts";
import { selectsService } from "./selects.ts";
import { isServed, type Wish, wishOf } from "./wish.ts";

/** Why a service has not got what it should. */
export type Shortage = "NoPool" | "Exhausted" | "NotInPool" | "Taken" | "Invalid";

/** What one service shall have. */
export interface Assignment {
  readonly service: Service;
  readonly addrs: readonly Addr[];
  /** undefined: it has all that it should. */
  readonly shortage: { readonly reason: Shortage; readonly message: string } | undefined;
}

/** How far an address is searched for that two services may not share. */
const TRIES_MAX = 65_536;

function byAge(a: Service, b: Service): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1;
}

const has = (pool: LoadBalancerPool, a: Addr) => pool.ranges.some((r) => rangeHas(r, a));

/** An address that somebody has. */
interface Taken {
  readonly addr: Addr;
  /** Who had it first. */
  readonly holder: Service;
  /** Of all holders; undefined: nobody else may have it. */
  readonly key: string | undefined;
  /** `port protocol` of all holders. */
  readonly ports: Set<string>;
}

const portsOf = (s: Service) => s.ports.map((p) => `${p.port} ${p.protocol}`);

/** With what a service shares addresses. One node announces an address: with backends of its own for two services there may be none. */
const keyOf = (s: Service, wish: Wish) => (s.isOutsideLocal ? undefined : wish.sharingKey);

/** Whether a service may have an address beside its holders: all say so by one key, and no packet could be for two. */
function canShare(taken: Taken, key: string | undefined, ports: readonly string[]): boolean {
  return key !== undefined && key === taken.key && !ports.some((p) => taken.ports.has(p));
}

class Allocation {
  readonly #pools: readonly LoadBalancerPool[];
  readonly #taken = new Map<string, Taken>();
  readonly #byKey = new Map<string, Taken[]>();
  /** Where to begin to look in a range: all below are taken, as what is found there is taken at once, and nothing is given back. */
  readonly #untaken = new Map<AddrRange, bigint>();

  constructor(pools: readonly LoadBalancerPool[]) {
    this.#pools = pools;
  }

  /** It has to be free for the service. */
  take(a: Addr, s: Service, wish: Wish): void {
    const known = this.#taken.get(a.text);
    const key = keyOf(s, wish);
    if (known !== undefined) {
      for (const p of portsOf(s)) known.ports.add(p);
      return;
    }
    const taken: Taken = { addr: a, holder: s, key, ports: new Set(portsOf(s)) };
    this.#taken.set(a.text, taken);
    if (key === undefined) return;
    const same = this.#byKey.get(key);
    if (same === undefined) this.#byKey.set(key, [taken]);
    else same.push(taken);
  }

  /** Whether the service may have the address beside those who have it. */
  isFree(a: Addr, s: Service, wish: Wish): boolean {
    const taken = this.#taken.get(a.text);
    return taken === undefined || canShare(taken, keyOf(s, wish), portsOf(s));
  }

  holder(a: Addr): Service | undefined {
    return this.#taken.get(a.text)?.holder;
  }

  /** Pools that may serve it. @param isNew a disabled pool gives nothing new */
  #poolsFor(s: Service, wish: Wish, isNew: boolean): LoadBalancerPool[] {
    return this.#pools.filter((p) => {
      if (p.ranges.length === 0 || (isNew && p.isDisabled) || !selectsService(p.serviceSelector, s)) return false;
      if (wish.pools.length > 0)
        return wish.pools.includes(p.name) || p.ranges.some((r) => wish.pools.includes(cidrText(r)));
      return p.isAutomatic || wish.addrs.length > 0;
    });
  }

  /** Whether what it has may stay. */
  mayKeep(a: Addr, s: Service, wish: Wish): boolean {
    if (!s.families.includes(a.family) || !this.isFree(a, s, wish)) return false;
    if (wish.addrs.length > 0 && !wish.addrs.some((w) => w.text === a.text)) return false;
    return this.#poolsFor(s, wish, false).some((p) => has(p, a));
  }

  /** The address asked for, or the lowest that is free; a text says why there is none. */
  find(s: Service, wish: Wish, family: Family): Addr | Assignment["shortage"] {
    const pools = this.#poolsFor(s, wish, true).filter((p) => p.ranges.some((r) => r.first.family === family));
    const asked = wish.addrs.find((a) => a.family === family);
    if (asked !== undefined) return this.#check(asked, s, wish, pools);
    if (pools.length === 0) return { reason: "NoPool", message: `No pool has IPv${family} addresses for it` };
    // An address that it may share comes first: that is what the key is for. Then only those that nobody has are left.
    const free = this.#shared(s, wish, family, pools) ?? this.#lowest(family, pools);
    const names = pools.map((p) => `${p.kind} ${p.name}`).join(", ");
    return free ?? { reason: "Exhausted", message: `No IPv${family} address is free in ${names}` };
  }

  #check(a: Addr, s: Service, wish: Wish, pools: readonly LoadBalancerPool[]): Addr | Assignment["shortage"] {
    if (!pools.some((p) => has(p, a)))
      return { reason: "NotInPool", message: `No pool that may serve it has the address ${a.text} that it asks for` };
    if (this.isFree(a, s, wish)) return a;
    const other = this.holder(a);
    return {
      reason: "Taken",
      message: `Service ${other?.namespace}/${other?.name} has the address ${a.text} that it asks for, and they cannot share it`,
    };
  }

  #shared(s: Service, wish: Wish, family: Family, pools: readonly LoadBalancerPool[]): Addr | undefined {
    const key = keyOf(s, wish);
    const ports = portsOf(s);
    for (const taken of key === undefined ? [] : (this.#byKey.get(key) ?? [])) {
      const { addr: a } = taken;
      if (a.family === family && canShare(taken, key, ports) && pools.some((p) => has(p, a))) return a;
    }
    return undefined;
  }

  #lowest(family: Family, pools: readonly LoadBalancerPool[]): Addr | undefined {
    let tries = 0;
    for (const range of pools.flatMap((p) => p.ranges)) {
      if (range.first.family !== family) continue;
      const last = addrToBigint(range.last);
      let n = this.#untaken.get(range) ?? addrToBigint(range.first);
      let found: Addr | undefined;
      for (; n <= last && tries < TRIES_MAX && found === undefined; n++, tries++) {
        const a = addrFromBigint(family, n);
        if (this.holder(a) === undefined) found = a;
      }
      this.#untaken.set(range, n);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Calico names pools by CIDR, too. */
function cidrText(r: AddrRange): string {
  const size = addrToBigint(r.last) - addrToBigint(r.first) + 1n;
  const bits = size.toString(2).length - 1;
  return `${r.first.text}/${(r.first.family === 4 ? 32 : 128) - bits}`;
}

/** Addresses that are asked for in vain although nothing is short: of a family that it does not have, or a second one. */
function unmetWish(s: Service, wish: Wish, own: readonly Addr[]): Assignment["shortage"] {
  const unmet = wish.addrs.filter((a) => !own.some((o) => o.text === a.text)).map((a) => a.text);
  if (unmet.length === 0) return undefined;
  const families = s.families.map((f) => `IPv${f}`).join(" and ");
  const message = `It asks for ${unmet.join(", ")}, but a service gets one address of each of its families, which are ${families}`;
  return { reason: "Invalid", message };
}

/**
 * What every service of a class that Twill serves shall have.
 * @param pools in any order
 */
export function assignAddresses(
  services: Iterable<Service>,
  pools: readonly LoadBalancerPool[],
): readonly Assignment[] {
  const usable = pools
    .filter((p) => p.ranges.length > 0)
    .sort((a, b) => (`${a.name} ${a.kind}` < `${b.name} ${b.kind}` ? -1 : 1));
  const all = [...services].filter(isServed).sort(byAge);
  const wishes = new Map(all.map((s) => [s, wishOf(s)]));
  const allocation = new Allocation(usable);
  const kept = new Map<Service, Addr[]>();
  for (const s of all) {
    const wish = wishes.get(s) ?? wishOf(s);
    const own: Addr[] = [];
    for (const a of s.loadBalancerIps) {
      // One of each family.
      if (own.some((o) => o.family === a.family) || !allocation.mayKeep(a, s, wish)) continue;
      own.push(a);
      allocation.take(a, s, wish);
    }
    kept.set(s, own);
  }
  return all.map((s): Assignment => {
    const wish = wishes.get(s) ?? wishOf(s);
    const own = kept.get(s) ?? [];
    let shortage: Assignment["shortage"] =
      wish.problem === undefined ? undefined : { reason: "Invalid", message: wish.problem };
    for (const family of s.families) {
      if (own.some((a) => a.family === family) || wish.problem !== undefined) continue;
      // Who asks for addresses of one family gets no other.
      if (wish.addrs.length > 0 && !wish.addrs.some((a) => a.family === family)) continue;
      const found = allocation.find(s, wish, family);
      if (found === undefined || "reason" in found) {
        shortage ??= found;
        continue;
      }
      own.push(found);
      allocation.take(found, s, wish);
    }
    shortage ??= unmetWish(s, wish, own);
    return { service: s, addrs: own.sort((a, b) => a.family - b.family), shortage };
  });
}
