/** Files of claims: objects of kind `PolicyTest`, strictly read. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { choice, onlyFields, quoted } from "../../model/policy/strict.ts";
import { type Reader, readObject } from "../../model/read.ts";
import type { Assertion } from "./assertions.ts";
import { type AskedTraffic, parseTraffic } from "./traffic-text.ts";

/** `apiVersion` of files of claims. */
const TEST_API_VERSION = "twill.dev/v1alpha1";
/** `kind` of files of claims. */
export const TEST_KIND = "PolicyTest";

/** What a file claims. */
export interface PolicyTest {
  /** `""`: it has none. */
  readonly name: string;
  /** Files and directories, relative to the file; `.` where none are given. */
  readonly objects: readonly string[];
  /** Objects that are there besides, as they were read. */
  readonly extra: readonly unknown[];
  /** At least one. */
  readonly tests: readonly Assertion[];
}

/** A string or a list of them, at least one. */
function words(reader: Reader, key: string): string[] {
  const value = reader.value(key);
  const list = typeof value === "string" ? [value] : reader.strings(key);
  if (list.length === 0 && (value === undefined || Array.isArray(value))) reader.issue(key, "A value is required");
  return [...list];
}

function readTraffic(reader: Reader): AskedTraffic[] {
  const out: AskedTraffic[] = [];
  for (const text of words(reader, "port")) {
    const parsed = parseTraffic(text);
    if (parsed.ok) out.push(parsed.value);
    else reader.issue("port", parsed.error);
  }
  return out;
}

function readAssertion(reader: Reader, index: number): Assertion {
  onlyFields(reader, "name", "from", "to", "port", "expect", "by");
  const [from, to, traffic] = [words(reader, "from"), words(reader, "to"), readTraffic(reader)];
  const expect = choice(reader, "expect", ["allow", "deny"]);
  if (expect === undefined && !reader.has("expect")) reader.issue("expect", "A value is required: allow or deny");
  const name = reader.string("name") ?? `test ${index + 1}`;
  return { name, from, to, traffic, expect: expect ?? "deny", by: reader.string("by") };
}

/** Reads an object of kind {@link TEST_KIND}. */
export function readPolicyTest(value: unknown): Result<PolicyTest, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  onlyFields(root, "apiVersion", "kind", "metadata", "objects", "with", "tests");
  if (root.value("apiVersion") !== TEST_API_VERSION)
    root.issue("apiVersion", `${quoted(root.value("apiVersion"))} is not ${TEST_API_VERSION}`);
  const objects = root.has("objects") ? words(root, "objects") : ["."];
  const extra = root.value("with") ?? [];
  if (!Array.isArray(extra)) root.issue("with", "Expected a list of objects");
  const tests = root.objects("tests").map(readAssertion);
  if (tests.length === 0) root.issue("tests", "At least one is required");
  if (issues.length > 0) return err(issues);
  return ok({ name: root.object("metadata")?.string("name") ?? "", objects, extra: extra as unknown[], tests });
}
