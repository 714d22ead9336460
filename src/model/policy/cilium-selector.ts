/** Cilium's label selectors: Kubernetes' ones whose keys name where a label comes from, as `k8s:app` or `reserved:host`. */

import type { Interner } from "../intern.ts";
import type { Reader } from "../read.ts";
import { isLabelValue, type SelectorOperator } from "./label-selector.ts";
import { choice, onlyFields, quoted } from "./strict.ts";

const SOURCES = ["any", "k8s", "reserved", "cidr", "fqdn", "node", "cidrgroup", "container", "unspec"] as const;
const OPERATORS: readonly SelectorOperator[] = ["In", "NotIn", "Exists", "DoesNotExist"];

/** Where a label comes from; `any` where the key does not say. */
export type LabelSource = (typeof SOURCES)[number];

/** One condition of a selector. `matchLabels` are conditions with `In`. */
export interface CiliumRequirement {
  readonly source: LabelSource;
  readonly key: string;
  readonly operator: SelectorOperator;
  readonly values: readonly string[];
}

/** All of them must hold; none selects everything. */
export type CiliumSelector = readonly CiliumRequirement[];

const KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,315}$/;

/** Parts of `source:key`; undefined when it is none. */
function parseCiliumKey(text: string): { readonly source: LabelSource; readonly key: string } | undefined {
  const colon = text.indexOf(":");
  const source = colon < 0 ? "any" : SOURCES.find((s) => s === text.slice(0, colon));
  const key = text.slice(colon + 1);
  return source === undefined || !KEY.test(key) ? undefined : { source, key };
}

function keyMessage(text: string): string {
  return `${quoted(text)} is not a label key such as app, k8s:app or reserved:host`;
}

function readMatchLabels(reader: Reader, interner: Interner): CiliumRequirement[] {
  const at = reader.object("matchLabels");
  const out: CiliumRequirement[] = [];
  for (const [text, value] of reader.labels("matchLabels", interner)) {
    const key = parseCiliumKey(text);
    if (key === undefined) at?.issue(text, keyMessage(text));
    if (!isLabelValue(value))
      at?.issue(text, `${quoted(value)} is not a label value: at most 63 letters, digits, "-_."`);
    if (key !== undefined) out.push({ ...key, operator: "In", values: [value] });
  }
  return out;
}

function readRequirement(reader: Reader): CiliumRequirement | undefined {
  onlyFields(reader, "key", "operator", "values");
  const text = reader.requiredString("key");
  const key = parseCiliumKey(text);
  if (key === undefined && text !== "") reader.issue("key", keyMessage(text));
  if (!reader.has("operator")) reader.issue("operator", `A value is required: ${OPERATORS.join(", ")}`);
  const operator = choice(reader, "operator", OPERATORS);
  const values = reader.strings("values");
  for (const v of values)
    if (!isLabelValue(v))
      reader.issue("values", `${quoted(v)} is not a label value: at most 63 letters, digits, "-_."`);
  if (operator === undefined || key === undefined) return undefined;
  const takesValues = operator === "In" || operator === "NotIn";
  if (takesValues !== values.length > 0)
    reader.issue("values", `${quoted(values)}: ${operator} takes ${takesValues ? "at least one value" : "no values"}`);
  return { ...key, operator, values };
}

/** Reads one selector. */
export function readCiliumSelector(reader: Reader, interner: Interner): CiliumSelector {
  onlyFields(reader, "matchLabels", "matchExpressions");
  const expressions = reader.objects("matchExpressions").map(readRequirement);
  return [...readMatchLabels(reader, interner), ...expressions.filter((r) => r !== undefined)];
}
