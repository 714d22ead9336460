/** Objects of which only name and labels matter: `v1` ServiceAccount, as far as policies ask for it. */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Interner, Labels } from "./intern.ts";
import { type Reader, readObject } from "./read.ts";

/** An object's name and labels. `namespace/name` is its key. */
export interface LabelledObject {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
}

/** An account that pods run as. */
export type ServiceAccount = LabelledObject;

/** Name and labels of an object from its `metadata`. */
export function readLabelled(metadata: Reader, interner: Interner): LabelledObject {
  return {
    namespace: interner.string(metadata.string("namespace") || "default"),
    name: metadata.requiredString("name"),
    labels: metadata.labels("labels", interner),
  };
}

/** Reads a `v1` ServiceAccount. Refused with all issues when a field that is used has a wrong value. */
export function parseServiceAccount(value: unknown, interner: Interner): Result<ServiceAccount, readonly Issue[]> {
  const issues: Issue[] = [];
  const metadata = readObject(value, issues).object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const account = readLabelled(metadata, interner);
  return issues.length > 0 ? err(issues) : ok(Object.freeze(account));
}
