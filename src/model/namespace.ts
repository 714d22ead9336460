/** Namespaces of the cluster (Kubernetes `v1` Namespace). */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Interner, Labels } from "./intern.ts";
import { readObject } from "./read.ts";

/** A namespace. `name` is its key. */
export interface Namespace {
  readonly name: string;
  /** Always with `kubernetes.io/metadata.name`, which API servers set since 1.21. */
  readonly labels: Labels;
}

const NAME_LABEL = "kubernetes.io/metadata.name";

/** Reads a `v1` Namespace. Refused with all issues when a field that is used has a wrong value. */
export function parseNamespace(value: unknown, interner: Interner): Result<Namespace, readonly Issue[]> {
  const issues: Issue[] = [];
  const metadata = readObject(value, issues).object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const name = interner.string(metadata.requiredString("name"));
  const labels = metadata.labels("labels", interner);
  if (issues.length > 0) return err(issues);
  // Selectors by name must work with older servers and with YAML written by hand, so the label is not left to them.
  const complete = labels.get(NAME_LABEL) === name ? labels : interner.labels([...labels, [NAME_LABEL, name]]);
  return ok(Object.freeze({ name, labels: complete }));
}
