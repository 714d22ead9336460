/** Which services a pool's selector names. */

import { matchesSelector } from "../../model/match-labels.ts";
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

/** `metav1.LabelSelector`: all of it must hold. undefined selects all. */
export function selectsService(selector: LabelSelector | undefined, s: Service): boolean {
  return selector === undefined || matchesSelector(selector, { get: (key) => labelOf(s, key) });
}
