/**
 * Pools of addresses for services of type LoadBalancer, in three dialects read into one: Twill's LoadBalancerPool
 * (`twill.dev/v1alpha1`), CiliumLoadBalancerIPPool, and Calico's IPPool as far as it is for load balancers.
 */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrFromBigint, addrToBigint, parseAddr } from "../net/addr.ts";
import { parsePrefix } from "../net/prefix.ts";
import { type AddrRange, rangeOf, rangeOfPrefix } from "../net/range.ts";
import type { Interner } from "./intern.ts";
import { type LabelSelector, readLabelSelector } from "./policy/label-selector.ts";
import { type Reader, readObject } from "./read.ts";

/** A pool. Its name is its key within its kind. */
export interface LoadBalancerPool {
  readonly name: string;
  /** For people: `LoadBalancerPool`, `CiliumLoadBalancerIPPool` or `IPPool`. */
  readonly kind: string;
  /** None when the object is of no use for load balancers. */
  readonly ranges: readonly AddrRange[];
  /** Gives no new addresses; those that it gave stay. */
  readonly isDisabled: boolean;
  /** Serves who asks for no pool and no address; else only who asks for it or one of its addresses. */
  readonly isAutomatic: boolean;
  /** Which services it serves; undefined: all. */
  readonly serviceSelector: LabelSelector | undefined;
}

/** Ranges in one pool. */
const RANGES_MAX = 256;

function nameOf(root: Reader): string {
  return root.object("metadata")?.requiredString("name") ?? "";
}

function finish(pool: LoadBalancerPool, issues: readonly Issue[]): Result<LoadBalancerPool, readonly Issue[]> {
  return issues.length > 0 ? err(issues) : ok(Object.freeze(pool));
}

function readAddrAt(r: Reader, key: string): Addr | undefined {
  const parsed = parseAddr(r.requiredString(key));
  if (parsed.ok) return parsed.value;
  if (r.has(key)) r.issue(key, parsed.error);
  return undefined;
}

function readCidr(r: Reader, key: string, text: string): AddrRange[] {
  const parsed = parsePrefix(text);
  if (parsed.ok) return [rangeOfPrefix(parsed.value)];
  r.issue(key, parsed.error);
  return [];
}

function readSpan(r: Reader, first: Addr | undefined, last: Addr | undefined): AddrRange[] {
  if (first === undefined || last === undefined) return [];
  try {
    return [rangeOf(first, last)];
  } catch {
    r.complain(`"${last.text}" comes before "${first.text}", or they are of two families`);
    return [];
  }
}

/** `192.0.2.0/28`, `192.0.2.1-192.0.2.9` or one address. */
function readBlock(r: Reader, key: string, text: string): AddrRange[] {
  if (text.includes("/")) return readCidr(r, key, text);
  const [first = "", last = first] = text.split("-").map((t) => t.trim());
  const ends = [parseAddr(first), parseAddr(last)] as const;
  for (const end of ends) if (!end.ok) r.issue(key, end.error);
  return ends[0].ok && ends[1].ok ? readSpan(r, ends[0].value, ends[1].value) : [];
}

function bounded<T>(r: Reader, key: string, list: readonly T[]): readonly T[] {
  if (list.length > RANGES_MAX) r.issue(key, `At most ${RANGES_MAX} are allowed`);
  return list.slice(0, RANGES_MAX);
}

/** Reads a LoadBalancerPool (`twill.dev/v1alpha1`). */
export function parseLoadBalancerPool(value: unknown, interner: Interner): Result<LoadBalancerPool, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const spec = root.object("spec") ?? readObject({}, issues, "spec");
  const blocks = bounded(spec, "addresses", spec.strings("addresses"));
  if (blocks.length === 0) spec.issue("addresses", "A value is required, as 192.0.2.0/28 or 192.0.2.10-192.0.2.19");
  const pool: LoadBalancerPool = {
    name: nameOf(root),
    kind: "LoadBalancerPool",
    ranges: blocks.flatMap((text, i) => readBlock(spec, `addresses[${i}]`, text)),
    isDisabled: spec.boolean("disabled") ?? false,
    isAutomatic: spec.boolean("automatic") ?? true,
    serviceSelector: readLabelSelector(spec, "serviceSelector", interner),
  };
  return finish(pool, issues);
}

/** `allowFirstLastIPs: No` keeps back the network's own address and the broadcast address of a prefix. */
function withoutEnds(range: AddrRange): AddrRange[] {
  const [first, last] = [addrToBigint(range.first), addrToBigint(range.last)];
  if (last - first < 2n) return [range];
  const { family } = range.first;
  return [rangeOf(addrFromBigint(family, first + 1n), addrFromBigint(family, last - 1n))];
}

/** Reads a CiliumLoadBalancerIPPool (`cilium.io/v2`, `v2alpha1`). */
export function parseCiliumLoadBalancerPool(
  value: unknown,
  interner: Interner,
): Result<LoadBalancerPool, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const spec = root.object("spec") ?? readObject({}, issues, "spec");
  // `cidrs` is what it was called before Cilium 1.15.
  const blocks = bounded(spec, "blocks", [...spec.objects("blocks"), ...spec.objects("cidrs")]);
  const keepsEnds = (spec.string("allowFirstLastIPs") ?? "Yes") !== "No";
  const ranges = blocks.flatMap((r): AddrRange[] => {
    if (r.has("cidr")) {
      const whole = readCidr(r, "cidr", r.string("cidr") ?? "");
      return keepsEnds ? whole : whole.flatMap(withoutEnds);
    }
    const first = readAddrAt(r, "start");
    return readSpan(r, first, r.has("stop") ? readAddrAt(r, "stop") : first);
  });
  const pool: LoadBalancerPool = {
    name: nameOf(root),
    kind: "CiliumLoadBalancerIPPool",
    ranges,
    isDisabled: spec.boolean("disabled") ?? false,
    isAutomatic: true,
    serviceSelector: readLabelSelector(spec, "serviceSelector", interner),
  };
  return finish(pool, issues);
}

/** Reads Calico's IPPool (`projectcalico.org/v3`, `crd.projectcalico.org/v1`); one that is not for load balancers has no ranges. */
export function parseCalicoLoadBalancerPool(value: unknown): Result<LoadBalancerPool, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const spec = root.object("spec") ?? readObject({}, issues, "spec");
  const isFor = spec.strings("allowedUses").includes("LoadBalancer");
  const pool: LoadBalancerPool = {
    name: nameOf(root),
    kind: "IPPool",
    ranges: isFor ? readCidr(spec, "cidr", spec.requiredString("cidr")) : [],
    isDisabled: spec.boolean("disabled") ?? false,
    isAutomatic: (spec.string("assignmentMode") ?? "Automatic") !== "Manual",
    serviceSelector: undefined,
  };
  return isFor ? finish(pool, issues) : ok(Object.freeze(pool));
}
