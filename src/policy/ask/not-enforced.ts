/** What objects ask for and is not enforced: told beside every answer, since such rules close what they would open. */

import { refText } from "../order.ts";
import type { Policy, PolicyRef } from "../rule.ts";
import { asksSourcePorts } from "../traffic.ts";

/** One rule that asks for more than is enforced. */
export interface NotEnforced {
  readonly ref: PolicyRef;
  /** Where in the object. */
  readonly path: string;
  /** In words. */
  readonly what: readonly string[];
}

/** All of it, once for each place of an object. */
export function notEnforced(policies: Iterable<Policy>): NotEnforced[] {
  const found = new Map<string, NotEnforced>();
  for (const { ref, ingress, egress } of policies)
    for (const rule of [...ingress.rules, ...egress.rules]) {
      const own = asksSourcePorts(rule) ? [...rule.notEnforced, "source ports"] : rule.notEnforced;
      if (own.length === 0) continue;
      const key = `${refText(ref)} ${rule.path}`;
      const what = [...new Set([...(found.get(key)?.what ?? []), ...own])];
      found.set(key, { ref, path: rule.path, what });
    }
  return [...found.values()];
}
