/**
 * Strict reading, for policies: a field that is not known is an issue. A policy that is read in part would be another
 * policy, and mostly a more open one.
 */

import type { Issue } from "../../base/issue.ts";
import { nearest } from "../../base/nearest.ts";
import { type Prefix, parseInterfaceAddr, prefixOf } from "../../net/prefix.ts";
import { type Reader, readObject } from "../read.ts";

/** A value as issues quote it: short, whatever it is. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Reports every member that is not one of these. */
export function onlyFields(reader: Reader, ...known: readonly string[]): void {
  for (const key of reader.keys()) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
    reader.issue(key, `Unknown field "${key.slice(0, 64)}": ${hint}`);
  }
}

/** Reports unless exactly one of the members is there; the one that is. */
export function exactlyOne<K extends string>(reader: Reader, ...keys: readonly K[]): K | undefined {
  const there = keys.filter((key) => reader.has(key));
  if (there.length === 1) return there[0];
  const [first] = there;
  if (first === undefined) reader.complain(`Exactly one of ${keys.join(", ")} is required, there is none`);
  else reader.complain(`Exactly one of ${keys.join(", ")} is required, there are ${there.join(", ")}`);
  return undefined;
}

/** A string that must be one of these; undefined when absent or reported. */
export function choice<T extends string>(reader: Reader, key: string, allowed: readonly T[]): T | undefined {
  const text = reader.string(key);
  if (text === undefined) return undefined;
  const hit = allowed.find((a) => a === text);
  if (hit === undefined) reader.issue(key, `${quoted(text)} is not one of ${allowed.join(", ")}`);
  return hit;
}

/** Objects of a list that must have from `min` to `max` of them. */
export function boundedObjects(reader: Reader, key: string, min: number, max: number): readonly Reader[] {
  const list = reader.objects(key);
  if (list.length < min) reader.issue(key, `${list.length} items: at least ${min} is required`);
  if (list.length > max) reader.issue(key, `${list.length} items: at most ${max} are allowed`);
  return list.slice(0, max);
}

const OWN_ANNOTATIONS = "policy.twill.dev/";
const MODE = `${OWN_ANNOTATIONS}mode`;

/** Whether a policy says of itself that it is only to be counted and logged: `policy.twill.dev/mode: audit`. */
export function readIsAudited(metadata: Reader | undefined): boolean {
  const annotations = metadata?.object("annotations");
  for (const key of annotations?.keys() ?? [])
    if (key.startsWith(OWN_ANNOTATIONS) && key !== MODE)
      annotations?.issue(key, `Unknown annotation "${key.slice(0, 64)}": known is ${MODE}`);
  return annotations !== undefined && choice(annotations, MODE, ["enforce", "audit"]) === "audit";
}

/** What every policy object has. */
export interface PolicyHead {
  readonly root: Reader;
  /** `""` for objects of the cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly isAudited: boolean;
  /** Absent: an issue has been reported. */
  readonly spec: Reader | undefined;
}

/** What an object of one kind must look like from outside. */
export interface KindOf {
  readonly kind: string;
  readonly apiVersions: readonly string[];
  readonly isNamespaced: boolean;
}

/** Reads `apiVersion`, `kind`, `metadata` and finds `spec`; `status` is allowed and not looked at. */
export function readPolicyHead(value: unknown, of: KindOf, issues: Issue[]): PolicyHead {
  const root = readObject(value, issues);
  onlyFields(root, "apiVersion", "kind", "metadata", "spec", "status");
  // Items of a list carry neither.
  choice(root, "apiVersion", of.apiVersions);
  choice(root, "kind", [of.kind]);
  const metadata = root.object("metadata");
  if (metadata === undefined && !root.has("metadata")) root.issue("metadata", "A value is required");
  const spec = root.object("spec");
  if (spec === undefined && !root.has("spec")) root.issue("spec", "A value is required");
  const namespace = of.isNamespaced ? metadata?.string("namespace") || "default" : "";
  const name = metadata?.requiredString("name") ?? "";
  return { root, namespace, name, isAudited: readIsAudited(metadata), spec };
}

/**
 * A CIDR as Kubernetes takes it: host bits may be set and are cleared.
 * @param at what to complain to, `key` where
 */
export function readCidr(at: Reader, key: string, text: string): Prefix | undefined {
  const parsed = parseInterfaceAddr(text);
  if (parsed.ok) return prefixOf(parsed.value.addr, parsed.value.length);
  at.issue(key, parsed.error);
  return undefined;
}
