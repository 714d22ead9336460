/** Address ranges that nodes' pod CIDRs are carved from (`twill.dev/v1alpha1` IPPool). */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { familyBits } from "../net/addr.ts";
import { type Prefix, parsePrefix } from "../net/prefix.ts";
import { type AddrRange, parseRange } from "../net/range.ts";
import type { Interner } from "./intern.ts";
import { type LabelSelector, readLabelSelector } from "./policy/label-selector.ts";
import { onlyFields } from "./policy/strict.ts";
import { type Reader, readObject } from "./read.ts";

/** A pool. */
export interface IpPool {
  readonly name: string;
  /** RFC 3339; `""` for an object from a file. */
  readonly createdAt: string;
  readonly cidr: Prefix;
  /** Length of each node's share; undefined: that of the configuration. */
  readonly nodeLength: number | undefined;
  /** Nodes that are given CIDRs of it; undefined: all. */
  readonly selector: LabelSelector | undefined;
  /** Nothing is given; what was given stays. */
  readonly isDisabled: boolean;
  /** Addresses that no pod gets. */
  readonly reserved: readonly AddrRange[];
}

const MAX_RESERVED = 256;
const NONE: Prefix | undefined = undefined;

function readCidr(spec: Reader): Prefix | undefined {
  const text = spec.requiredString("cidr");
  if (text === "") return NONE;
  const cidr = parsePrefix(text);
  if (cidr.ok) return cidr.value;
  spec.issue("cidr", cidr.error);
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
  const cidr = readCidr(spec);
  const max = cidr === undefined ? 126 : familyBits(cidr.family) - 2;
  if (cidr !== undefined && cidr.length > max)
    spec.issue("cidr", `"${cidr.text}" is too small: at most /${max} can be carved from`);
  const pool = {
    name: interner.string(metadata.requiredString("name")),
    createdAt: metadata.string("creationTimestamp") ?? "",
    cidr,
    nodeLength: spec.integer("nodeMaskSize", cidr?.length ?? 0, max),
    selector: readLabelSelector(spec, "nodeSelector", interner),
    isDisabled: spec.boolean("disabled") ?? false,
    reserved: readReserved(spec, cidr),
  };
  return issues.length > 0 || cidr === undefined ? err(issues) : ok(Object.freeze({ ...pool, cidr }));
}
