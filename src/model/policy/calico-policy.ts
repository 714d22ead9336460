/** Calico's policies of a namespace and of the cluster, and their staged forms, validated. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Interner } from "../intern.ts";
import type { Reader } from "../read.ts";
import { CALICO_API_VERSIONS, isFilled, readOrder, readSelector } from "./calico-read.ts";
import { type CalicoRule, readCalicoRules } from "./calico-rule.ts";
import type { CalicoSelector } from "./calico-selector.ts";
import { choice, onlyFields, quoted, readPolicyHead } from "./strict.ts";

/** What a staged policy would do when it were applied. */
export type StagedAction = "Set" | "Delete" | "Learn" | "Ignore";

const STAGED_ACTIONS: readonly StagedAction[] = ["Set", "Delete", "Learn", "Ignore"];

/** The kinds that have this form. */
export type CalicoPolicyKind =
  | "NetworkPolicy"
  | "GlobalNetworkPolicy"
  | "StagedNetworkPolicy"
  | "StagedGlobalNetworkPolicy";

/** A policy. `kind namespace/name` is its key. */
export interface CalicoPolicy {
  readonly kind: CalicoPolicyKind;
  /** `""` for policies of the cluster. */
  readonly namespace: string;
  readonly name: string;
  /** Counted and logged, not in force. */
  readonly isAudited: boolean;
  readonly tier: string;
  /** undefined: behind all that have one. */
  readonly order: number | undefined;
  /** Absent ones select everything. */
  readonly selector: CalicoSelector | undefined;
  readonly namespaceSelector: CalicoSelector | undefined;
  readonly serviceAccountSelector: CalicoSelector | undefined;
  /** Directions that it is about: `types`, or what follows from its rules. */
  readonly types: { readonly ingress: boolean; readonly egress: boolean };
  readonly ingress: readonly CalicoRule[];
  readonly egress: readonly CalicoRule[];
  readonly doNotTrack: boolean;
  readonly preDnat: boolean;
  readonly applyOnForward: boolean;
  /** undefined: it is in force. */
  readonly stagedAction: StagedAction | undefined;
}

const FIELDS = [
  "tier",
  "order",
  "selector",
  "serviceAccountSelector",
  "types",
  "ingress",
  "egress",
  "performanceHints",
] as const;
const CLUSTER_FIELDS = ["namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward"] as const;

function readTypes(spec: Reader): CalicoPolicy["types"] {
  const types = spec.strings("types");
  for (const [i, t] of types.entries())
    if (t !== "Ingress" && t !== "Egress") spec.issue(`types[${i}]`, `${quoted(t)} is not one of Ingress, Egress`);
    else if (types.indexOf(t) < i) spec.issue(`types[${i}]`, `${quoted(t)} stands there twice`);
  if (types.length > 0) return { ingress: types.includes("Ingress"), egress: types.includes("Egress") };
  const egress = isFilled(spec, "egress");
  return { ingress: !egress || isFilled(spec, "ingress"), egress };
}

/** `Set` where a staged object says nothing. */
export function readStagedAction(spec: Reader): StagedAction {
  return choice(spec, "stagedAction", STAGED_ACTIONS) ?? "Set";
}

const NOT_FORWARDED = { doNotTrack: false, preDnat: false, applyOnForward: false };

function readForward(
  spec: Reader,
  hasEgress: boolean,
): Pick<CalicoPolicy, "doNotTrack" | "preDnat" | "applyOnForward"> {
  const doNotTrack = spec.boolean("doNotTrack") ?? false;
  const preDnat = spec.boolean("preDNAT") ?? false;
  const applyOnForward = spec.boolean("applyOnForward") ?? false;
  if (doNotTrack && preDnat) spec.issue("preDNAT", "true cannot stand together with doNotTrack true");
  if ((doNotTrack || preDnat) && !applyOnForward)
    spec.issue("applyOnForward", `${applyOnForward} cannot stand with doNotTrack or preDNAT: it must be true`);
  if (preDnat && hasEgress) spec.issue("egress", "A policy with preDNAT true has ingress rules only");
  return { doNotTrack, preDnat, applyOnForward };
}

function parse(value: unknown, interner: Interner, kind: CalicoPolicyKind): Result<CalicoPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const isNamespaced = kind === "NetworkPolicy" || kind === "StagedNetworkPolicy";
  const isStaged = kind.startsWith("Staged");
  const { namespace, name, isAudited, spec } = readPolicyHead(
    value,
    { kind, apiVersions: CALICO_API_VERSIONS, isNamespaced },
    issues,
  );
  if (spec === undefined) return err(issues);
  onlyFields(spec, ...FIELDS, ...(isNamespaced ? [] : CLUSTER_FIELDS), ...(isStaged ? ["stagedAction"] : []));
  for (const [i, hint] of spec.strings("performanceHints").entries())
    if (hint !== "AssumeNeededOnEveryNode")
      spec.issue(`performanceHints[${i}]`, `${quoted(hint)} is not AssumeNeededOnEveryNode`);
  const types = readTypes(spec);
  const policy: CalicoPolicy = {
    kind,
    namespace: interner.string(namespace),
    name,
    isAudited,
    tier: interner.string(spec.string("tier") || "default"),
    order: readOrder(spec),
    selector: readSelector(spec, "selector"),
    namespaceSelector: isNamespaced ? undefined : readSelector(spec, "namespaceSelector"),
    serviceAccountSelector: readSelector(spec, "serviceAccountSelector"),
    types,
    ingress: readCalicoRules(spec, "ingress", namespace, interner),
    egress: readCalicoRules(spec, "egress", namespace, interner),
    ...(isNamespaced ? NOT_FORWARDED : readForward(spec, types.egress)),
    stagedAction: isStaged ? readStagedAction(spec) : undefined,
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}

/** Reads a policy of a namespace. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseCalicoNetworkPolicy(value: unknown, interner: Interner): Result<CalicoPolicy, readonly Issue[]> {
  return parse(value, interner, "NetworkPolicy");
}

/** Reads a policy of the cluster. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseGlobalNetworkPolicy(value: unknown, interner: Interner): Result<CalicoPolicy, readonly Issue[]> {
  return parse(value, interner, "GlobalNetworkPolicy");
}

/** Reads a staged policy of a namespace. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseStagedNetworkPolicy(value: unknown, interner: Interner): Result<CalicoPolicy, readonly Issue[]> {
  return parse(value, interner, "StagedNetworkPolicy");
}

/** Reads a staged policy of the cluster. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseStagedGlobalNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<CalicoPolicy, readonly Issue[]> {
  return parse(value, interner, "StagedGlobalNetworkPolicy");
}
