/**
 * Writes docs/configuration.md from the schema: `node tools/config-docs.ts`. A test compares the page with what this
 * would write, so neither can go stale.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { configKeys } from "../src/agent/config/keys.ts";
import { configSchema } from "../src/agent/config/schema.ts";
import { isLive, whereOf } from "../src/agent/config/scope.ts";

/** The page. */
const CONFIG_PAGE = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));
const BEGIN = "<!-- keys: written by tools/config-docs.ts -->";
const END = "<!-- end of keys -->";

/** The table of all keys. */
function keyTable(): string {
  const rows = configKeys(configSchema).map(({ path, description, defaultJson }) => {
    const scope = whereOf(path) === "file" ? "file" : `${whereOf(path)}, ${isLive(path) ? "at once" : "at start"}`;
    const value = defaultJson === undefined ? "" : `\`${defaultJson.replace(/^"(.*)"$/, "$1")}\``;
    return `| \`${path}\` | ${value} | ${scope} | ${description} |`;
  });
  return ["| key | default | where, when | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/** The page with the table put in its place. @throws Error when the page has no such place */
function withKeyTable(page: string): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`Cannot find "${BEGIN}" and "${END}" in the page`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${keyTable()}\n\n${page.slice(to)}`;
}

if (argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(CONFIG_PAGE, withKeyTable(readFileSync(CONFIG_PAGE, "utf8")));
