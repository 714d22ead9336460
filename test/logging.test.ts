/** LOGGING.md and the code name the same fields: prose that no test reads goes stale. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { repoFiles, repoText } from "../tools/repo-files.ts";

/** A call of a log with an object of fields and a constant message. */
const call = /\blog\.(?:trace|debug|info|warn|error|fatal)\(\s*\{([^{}]*)\}\s*,\s*(["`])((?:(?!\2).)*)\2/g;

interface LogCall {
  readonly file: string;
  readonly fields: readonly string[];
  readonly message: string;
  readonly isConstant: boolean;
}

function callsOf(file: string): LogCall[] {
  return [...repoText(file).matchAll(call)].map(([, fields = "", quote, message = ""]) => ({
    file,
    fields: fields
      .split(",")
      .map((f) => f.trim().split(":")[0] ?? "")
      .filter((f) => /^\w+$/.test(f)),
    message,
    isConstant: quote === '"',
  }));
}

const sources = repoFiles().filter((f) => /^src\/.*\.ts$/.test(f) && !f.endsWith(".test.ts"));
const calls = sources.flatMap(callsOf);
const documented = [...repoText("LOGGING.md").matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, names = ""]) =>
  [...names.matchAll(/\w+/g)].map(([name]) => name),
);
const levels = ["fatal", "error", "warn", "info", "debug", "trace"];

describe("log fields", () => {
  it("the scan sees the agent's calls and the list", () => {
    assert.ok(calls.length > 5, `only ${calls.length} calls`);
    assert.ok(documented.includes("node") && documented.includes("table"));
  });

  it("every field that is logged is in LOGGING.md", () => {
    const unknown = calls.flatMap((c) =>
      c.fields.filter((f) => !documented.includes(f)).map((f) => `${c.file}: "${f}" in "${c.message}"`),
    );
    assert.deepEqual(unknown, []);
  });

  it("every field in LOGGING.md is logged somewhere", () => {
    const agent = sources
      .filter((f) => f.startsWith("src/agent/"))
      .map(repoText)
      .join("\n");
    const always = ["time", "node", ...levels];
    const unused = documented.filter((f) => !always.includes(f) && !new RegExp(`\\b${f}\\b`).test(agent));
    assert.deepEqual(unused, []);
  });

  it("messages are constant phrases in lower case", () => {
    const odd = calls.filter((c) => !c.isConstant || !/^[a-z][^.]*$/.test(c.message));
    assert.deepEqual(
      odd.map((c) => `${c.file}: ${c.message}`),
      [],
    );
  });
});
