/** `metav1.LabelSelector`, as Kubernetes validates it. */

import { type Interner, type Labels, NO_LABELS } from "../intern.ts";
import type { Reader } from "../read.ts";
import { choice, onlyFields, quoted } from "./strict.ts";

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;

/** How one requirement compares. */
export type SelectorOperator = (typeof OPERATORS)[number];

/** One line of `matchExpressions`. */
export interface SelectorRequirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  /** Empty for `Exists` and `DoesNotExist`, not empty for the others. */
  readonly values: readonly string[];
}

/** All of it must hold; an empty one selects everything. */
export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly SelectorRequirement[];
}

/** What an empty selector is. */
export const SELECT_ALL: LabelSelector = { matchLabels: NO_LABELS, matchExpressions: [] };

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Whether the text is a label key: an optional DNS prefix and `/`, then a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf("/");
  const prefix = slash < 0 ? undefined : text.slice(0, slash);
  if (prefix !== undefined && (prefix.length > 253 || !DNS_SUBDOMAIN.test(prefix))) return false;
  return NAME.test(text.slice(slash + 1));
}

/** Whether the text is a label value: at most 63 characters, possibly none. */
export function isLabelValue(text: string): boolean {
  return text === "" || NAME.test(text);
}

function readMatchLabels(reader: Reader, interner: Interner): Labels {
  const labels = reader.labels("matchLabels", interner);
  const at = reader.object("matchLabels");
  for (const [key, value] of labels) {
    if (!isLabelKey(key)) at?.issue(key, `${quoted(key)} is not a label key such as app or example.org/app`);
    if (!isLabelValue(value))
      at?.issue(key, `${quoted(value)} is not a label value: at most 63 letters, digits, "-_."`);
  }
  return labels;
}

function readRequirement(reader: Reader, interner: Interner): SelectorRequirement | undefined {
  onlyFields(reader, "key", "operator", "values");
  const key = reader.requiredString("key");
  if (key !== "" && !isLabelKey(key))
    reader.issue("key", `${quoted(key)} is not a label key such as app or example.org/app`);
  if (!reader.has("operator")) reader.issue("operator", `A value is required: ${OPERATORS.join(", ")}`);
  const operator = choice(reader, "operator", OPERATORS);
  const values = reader.strings("values").map((v) => interner.string(v));
  for (const v of values)
    if (!isLabelValue(v))
      reader.issue("values", `${quoted(v)} is not a label value: at most 63 letters, digits, "-_."`);
  if (operator === undefined) return undefined;
  const takesValues = operator === "In" || operator === "NotIn";
  if (takesValues && values.length === 0)
    reader.issue("values", `At least one value is required with operator ${operator}`);
  if (!takesValues && values.length > 0)
    reader.issue("values", `${quoted(values)} is not allowed with operator ${operator}`);
  return { key: interner.string(key), operator, values };
}

/** Reads the selector at a member that is there; undefined when it is absent. */
export function readLabelSelector(parent: Reader, key: string, interner: Interner): LabelSelector | undefined {
  const reader = parent.object(key);
  if (reader === undefined) return undefined;
  onlyFields(reader, "matchLabels", "matchExpressions");
  const matchExpressions = reader.objects("matchExpressions").map((r) => readRequirement(r, interner));
  return {
    matchLabels: readMatchLabels(reader, interner),
    matchExpressions: matchExpressions.filter((r) => r !== undefined),
  };
}

/** Reads a selector that must be there. What is absent is reported and selects nothing that is ever used. */
export function requiredLabelSelector(parent: Reader, key: string, interner: Interner): LabelSelector {
  if (!parent.has(key)) parent.issue(key, "A value is required: {} selects everything");
  return readLabelSelector(parent, key, interner) ?? SELECT_ALL;
}
