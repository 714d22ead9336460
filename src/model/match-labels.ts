/** Whether labels satisfy a `metav1.LabelSelector` or one of Calico's: for objects that no policy has to explain. */

import type { Labels } from "./intern.ts";
import type { CalicoSelector } from "./policy/calico-selector.ts";
import type { LabelSelector, SelectorRequirement } from "./policy/label-selector.ts";

/** Labels, as far as they are asked for. */
type Values = Pick<Labels, "get">;

function meets(labels: Values, { key, operator, values }: SelectorRequirement): boolean {
  const value = labels.get(key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    // Also true where there is no such label, as Kubernetes has it.
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** All of the selector must hold; an empty one selects everything. */
export function matchesSelector({ matchLabels, matchExpressions }: LabelSelector, labels: Values): boolean {
  for (const [key, value] of matchLabels) if (labels.get(key) !== value) return false;
  return matchExpressions.every((r) => meets(labels, r));
}

/** The same of a selector in Calico's language. `!=` and `not in` are also true where there is no such label. */
export function matchesCalicoSelector(s: CalicoSelector, labels: Values): boolean {
  switch (s.op) {
    case "all":
      return true;
    // Of what is of no namespace: it is no question about labels.
    case "global":
      return false;
    case "!":
      return !matchesCalicoSelector(s.of, labels);
    case "&&":
      return s.of.every((of) => matchesCalicoSelector(of, labels));
    case "||":
      return s.of.some((of) => matchesCalicoSelector(of, labels));
    default:
      return meetsCalico(s, labels.get(s.key));
  }
}

function meetsCalico(s: Extract<CalicoSelector, { readonly key: string }>, value: string | undefined): boolean {
  switch (s.op) {
    case "has":
      return value !== undefined;
    case "==":
      return value === s.value;
    case "!=":
      return value !== s.value;
    case "in":
      return value !== undefined && s.values.includes(value);
    case "not in":
      return value === undefined || !s.values.includes(value);
    case "contains":
      return value?.includes(s.value) === true;
    case "starts with":
      return value?.startsWith(s.value) === true;
    case "ends with":
      return value?.endsWith(s.value) === true;
  }
}
