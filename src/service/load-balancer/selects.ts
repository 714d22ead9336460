/** Which services a pool's selector names. */

import type { LabelSelector } from "../../model/policy/label-selector.ts";
import type { Service } from "../../model/service.ts";

/** What selectors may ask for besides labels, as Cilium's do. */
function labelOf(s: Service, key: string): string | undefined {
  switch (key) {
    case "io.kubernetes.service.namespace":
      return s.namespace;
    case "io.kubernetes.service.name":
      return s.name;
    default:
      return s.labels.get(key);
  }
}

/** `metav1.LabelSelector`: all of it must hold; NotIn holds of a label that is not there. */
export function selectsService(selector: LabelSelector | undefined, s: Service): boolean {
  if (selector === undefined) return true;
  for (const [key, value] of selector.matchLabels) if (labelOf(s, key) !== value) return false;
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labelOf(s, key);
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      default:
        return value === undefined;
    }
  });
}
