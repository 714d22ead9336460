/** Address ranges that nodes' pod CIDRs are carved from (`twill.dev/v1alpha1` IPPool). */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { familyBits } from "../net/addr.ts";
import { type Prefix, parsePrefix } from "../net/prefix.ts";
import { type AddrRange, parseRange } from "../net/range.ts";
import type { Interner } from "./intern.ts";
import type { CalicoSelector } from "./policy/calico-selector.ts";
import { type LabelSelector, readLabelSelector } from "./policy/label-selector.ts";
import { onlyFields } from "./policy/strict.ts";
import { type Reader, readObject } from "./read.ts";

/** A pool. */
export interface IpPool {
  readonly name: string;
  /** For people. */
  readonly kind: "IPPool" | "Calico IPPool";
  /** RFC 3339; `""` for an object from a file. */
  readonly createdAt: string;
  readonly cidr: Prefix;
  /** Length of each node's share; undefined: that of the configuration. */
  readonly nodeLength: number | undefined;
  /** A share is at least as large as a prefix of this length; undefined: of any size. */
  readonly blockLength: number | undefined;
  /** Nodes that are given CIDRs of it; undefined: all. */
  readonly selector: LabelSelector | CalicoSelector | undefined;
  /** Nothing is given; what was given stays. */
  readonly isDisabled: boolean;
  /** Addresses that no pod gets. */
  readonly reserved: readonly AddrRange[];
}

const MAX_RESERVED = 256;
const NONE: Prefix | undefined = undefined;

/** Longest prefix that can be carved from, host bits left. */
const HOST_BITS_MIN = 2;

/** `cidr` of a pool of node CIDRs; undefined when it is reported. */
export function readPoolCidr(spec: Reader): Prefix | undefined {
  const text = spec.requiredString("cidr");
  if (text === "") return NONE;
  const cidr = parsePrefix(text);
  if (!cidr.ok) {
    spec.issue("cidr", cidr.error);
    return NONE;
  }
  const max = familyBits(cidr.value.family) - HOST_BITS_MIN;
  if (cidr.value.length <= max) return cidr.value;
  spec.issue("cidr", `"${cidr.value.text}" is too small: at most /${max} can be carved from`);
  return NONE;
}

function readReserved(spec: Reader, cidr: Prefix | undefined): AddrRange[] {
  const texts = spec.strings("reserved");
  if (texts.length > MAX_RESERVED)
    spec.issue("reserved", `${texts.length} ranges: at most ${MAX_RESERVED} are allowed`);
  return texts.slice(0, MAX_RESERVED).flatMap((text, i) => {
    const range = parseRange(text);
    if (!range.ok) spec.issue(`reserved[${i}]`, range.error);
    else if (cidr !== undefined && range.value.family !== cidr.family)
      spec.issue(`reserved[${i}]`, `"${text}" is of another family than "${cidr.text}"`);
    return range.ok ? [range.value] : [];
  });
}

/** Reads an IPPool. */
export function parseIpPool(value: unknown, interner: Interner): Result<IpPool, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  const spec = root.object("spec");
  if (metadata === undefined) root.issue("metadata", "A value is required");
  if (spec === undefined) root.issue("spec", "A value is required");
  if (metadata === undefined || spec === undefined) return err(issues);
  onlyFields(spec, "cidr", "nodeMaskSize", "nodeSelector", "disabled", "reserved");
  const cidr = readPoolCidr(spec);
  const max = familyBits(cidr?.family ?? 6) - HOST_BITS_MIN;
  const pool = {
    name: interner.string(metadata.requiredString("name")),
    kind: "IPPool" as const,
    createdAt: metadata.string("creationTimestamp") ?? "",
    cidr,
    nodeLength: spec.integer("nodeMaskSize", cidr?.length ?? 0, max),
    blockLength: undefined,
    selector: readLabelSelector(spec, "nodeSelector", interner),
    isDisabled: spec.boolean("disabled") ?? false,
    reserved: readReserved(spec, cidr),
  };
  return issues.length > 0 || cidr === undefined ? err(issues) : ok(Object.freeze({ ...pool, cidr }));
}
