/** Whether labels satisfy a `metav1.LabelSelector`: for objects of Twill's own, which no policy has to explain. */

import type { Labels } from "./intern.ts";
import type { LabelSelector, SelectorRequirement } from "./policy/label-selector.ts";

function meets(labels: Labels, { key, operator, values }: SelectorRequirement): boolean {
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
export function matchesSelector({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of matchLabels) if (labels.get(key) !== value) return false;
  return matchExpressions.every((r) => meets(labels, r));
}
