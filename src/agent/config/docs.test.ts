/** docs/configuration.md says what the schema says, and its examples are configurations. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { formatIssues } from "../../base/issue.ts";
import { parseConfig } from "./config.ts";
import { configKeys } from "./keys.ts";
import { configSchema } from "./schema.ts";

const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");

test("every key is in the table with its default and meaning: node tools/config-docs.ts writes it", () => {
  const [, table = ""] = page.split(/<!-- keys.*-->|<!-- end of keys -->/);
  const rows = table.split("\n").filter((l) => l.startsWith("| `"));
  const keys = configKeys(configSchema);
  assert.ok(keys.length > 30);
  assert.equal(rows.length, keys.length);
  for (const [i, { path, description, defaultJson }] of keys.entries()) {
    const row = rows[i] ?? "";
    assert.ok(row.startsWith(`| \`${path}\` |`), row);
    assert.ok(row.endsWith(`| ${description} |`), row);
    assert.notEqual(description, "", path);
    if (defaultJson !== undefined) assert.ok(row.includes(`\`${defaultJson.replace(/^"(.*)"$/, "$1")}\``), row);
  }
});

test("the examples are valid", () => {
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((m) => m[1] ?? "");
  assert.equal(examples.length, 4);
  for (const text of examples) {
    const r = parseConfig(text, { set: new Map(), defaultNodeName: "n" });
    assert.ok(r.ok, r.ok ? "" : formatIssues(r.error));
  }
});

test("the example of a refusal is what is printed", () => {
  const text = "tunnel: {port: 70000}\nipam: {cooldownSeconds: 1}\nclusterCIDRs: [10.244.0.1/16]";
  const r = parseConfig(text, { set: new Map(), defaultNodeName: "n" });
  assert.ok(!r.ok);
  for (const line of formatIssues(r.error).split("\n")) assert.ok(page.includes(line), line);
});
