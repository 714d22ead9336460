/** What an object's conditions should say: whether it was understood, and whether all of it is enforced. */

import type { Issue } from "../base/issue.ts";
import type { PolicyMode } from "./from-objects.ts";
import type { Policy } from "./rule.ts";

/** What is to be said. */
export interface Said {
  readonly type: "Accepted" | "Enforced" | "Ready";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** Longest message: a policy of thousands of rules must not fill its own status. */
const MAX_MESSAGE = 1024;

/** Texts in one, as long as a message may be. */
export function bounded(parts: readonly string[]): string {
  let out = "";
  for (const [i, part] of parts.entries()) {
    const next = out === "" ? part : `${out}; ${part}`;
    const rest = `; and ${parts.length - i} more`;
    if (next.length + rest.length > MAX_MESSAGE)
      return out === "" ? `${part.slice(0, MAX_MESSAGE - 3)}...` : out + rest;
    out = next;
  }
  return out;
}

/** Whether the object could be read. @param issues why not; empty: it could */
export function acceptedOf(issues: readonly Issue[]): Said {
  if (issues.length === 0)
    return { type: "Accepted", status: "True", reason: "Valid", message: "All of it is understood" };
  const texts = issues.map((i) => (i.path === "" ? i.message : `${i.path}: ${i.message}`));
  return { type: "Accepted", status: "False", reason: "Invalid", message: bounded(texts) };
}

const no = (reason: string, message: string): Said => ({ type: "Enforced", status: "False", reason, message });

/** Of a policy that could not be read. @param isClosed what it may select is closed until it can be */
export function refusedOf(isClosed: boolean): Said {
  const then = isClosed ? "other nodes close what it may select" : "other nodes enforce nothing of it";
  return no("Invalid", `Nodes that know an earlier valid version go on with that; ${then}`);
}

/** Of a policy that was read. @param policies what became of it */
export function enforcedOf(policies: readonly Policy[], mode: PolicyMode): Said {
  if (mode === "never") return no("ModeNever", "The agents' configuration says policy.mode: never");
  if (policies.length === 0) return no("NothingToEnforce", "It asks for nothing to be enforced");
  if (policies.every((p) => p.mode === "stage")) return no("Staged", "It is counted and logged what it would decide");
  const missing = policies.flatMap((p) =>
    [...p.ingress.rules, ...p.egress.rules].flatMap((r) => r.notEnforced.map((what) => `${r.path}: ${what}`)),
  );
  if (missing.length > 0) return no("PartlyEnforced", bounded(["Not enforced, and closed", ...new Set(missing)]));
  return { type: "Enforced", status: "True", reason: "Enforced", message: "All of it is enforced" };
}
