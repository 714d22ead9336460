/**
 * Expressions over labels: what the selectors of all dialects mean.
 *
 * An absent label equals nothing, is in no set and contains nothing; so `not(in)` is true for it, as Kubernetes'
 * `NotIn`, Calico's `not in` and `!=`, and Cilium's `NotIn` all have it.
 */

import { assertNever } from "../base/assert-never.ts";

/** Labels of one thing, by key. */
export type LabelMap = ReadonlyMap<string, string>;

/** A boolean expression over the labels of one thing. */
export type LabelExpr =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "has"; readonly key: string }
  /** Its value is one of these. */
  | { readonly kind: "in"; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: "contains" | "starts-with" | "ends-with"; readonly key: string; readonly text: string }
  | { readonly kind: "not"; readonly of: LabelExpr }
  | { readonly kind: "and" | "or"; readonly of: readonly LabelExpr[] };

/** Whether the labels satisfy the expression. */
export function matchesLabels(expr: LabelExpr, labels: LabelMap): boolean {
  switch (expr.kind) {
    case "all":
      return true;
    case "none":
      return false;
    case "has":
      return labels.has(expr.key);
    case "in": {
      const value = labels.get(expr.key);
      return value !== undefined && expr.values.includes(value);
    }
    case "contains":
      return labels.get(expr.key)?.includes(expr.text) ?? false;
    case "starts-with":
      return labels.get(expr.key)?.startsWith(expr.text) ?? false;
    case "ends-with":
      return labels.get(expr.key)?.endsWith(expr.text) ?? false;
    case "not":
      return !matchesLabels(expr.of, labels);
    // Asked a million times: loops make no garbage.
    case "and":
      for (const e of expr.of) if (!matchesLabels(e, labels)) return false;
      return true;
    case "or":
      for (const e of expr.of) if (matchesLabels(e, labels)) return true;
      return false;
    default:
      return assertNever(expr);
  }
}

/** All of the expressions, simplified. */
export function allLabels(of: readonly LabelExpr[]): LabelExpr {
  const parts = of.filter((e) => e.kind !== "all");
  if (parts.some((e) => e.kind === "none")) return { kind: "none" };
  return parts.length === 0 ? { kind: "all" } : parts.length === 1 && parts[0] ? parts[0] : { kind: "and", of: parts };
}

/** One line in Calico's words, the same for the same expression: a key for tables, and what `explain` prints. */
export function labelExprText(expr: LabelExpr): string {
  switch (expr.kind) {
    case "all":
      return "all()";
    case "none":
      return "!all()";
    case "has":
      return `has(${expr.key})`;
    case "in":
      return expr.values.length === 1
        ? `${expr.key} == ${JSON.stringify(expr.values[0])}`
        : `${expr.key} in {${[...expr.values]
            .sort()
            .map((v) => JSON.stringify(v))
            .join(", ")}}`;
    case "contains":
      return `${expr.key} contains ${JSON.stringify(expr.text)}`;
    case "starts-with":
      return `${expr.key} starts with ${JSON.stringify(expr.text)}`;
    case "ends-with":
      return `${expr.key} ends with ${JSON.stringify(expr.text)}`;
    case "not":
      return `!(${labelExprText(expr.of)})`;
    case "and":
      return `(${expr.of.map(labelExprText).join(" && ")})`;
    case "or":
      return `(${expr.of.map(labelExprText).join(" || ")})`;
    default:
      return assertNever(expr);
  }
}
