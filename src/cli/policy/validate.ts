/** `twill policy validate`. */

import { text } from "node:stream/consumers";
import type { FileText, ReadFile, Refusal } from "../../cluster/directory/read-once.ts";
import { refText } from "../../policy/order.ts";
import { type Io, printJson } from "../io.ts";
import { refusalJson, refusalText } from "./sources.ts";

/** Options of the command. */
export interface ValidateOptions {
  readonly json?: boolean;
}

async function readTexts(paths: readonly string[]): Promise<FileText[]> {
  const { readPaths } = await import("../../cluster/directory/read-once.ts");
  const texts: FileText[] = [];
  for (const path of paths)
    if (path === "-") texts.push({ path: "-", text: await text(process.stdin) });
    else texts.push(...(await readPaths([path])));
  return texts;
}

/** What no table takes: claims, and policies that are not read at all. */
async function judgeOthers(files: readonly ReadFile[]) {
  const { isUnreadPolicy } = await import("../../cluster/unread-kinds.ts");
  const { readPolicyTest, TEST_KIND } = await import("../../policy/ask/read-assertions.ts");
  const wrongClaims: Refusal[] = [];
  const unread: string[] = [];
  let claims = 0;
  for (const { path: file, content } of files)
    for (const { place, apiVersion, kind, value } of content.others) {
      const read = kind === TEST_KIND ? readPolicyTest(value) : undefined;
      const { name } = (value as { metadata?: { name?: unknown } | null }).metadata ?? {};
      const head = { file, place, kind, name: typeof name === "string" ? name : "" };
      if (read?.ok === true) claims++;
      else if (read !== undefined) wrongClaims.push({ ...head, issues: read.error });
      else if (isUnreadPolicy(apiVersion, kind))
        unread.push(`${file}#${place}: ${kind} ${head.name}: This kind is not read`);
    }
  return { wrongClaims, unread, claims };
}

/** Says of each object whether it is one that would be enforced. Exit code 1: some are refused. */
export async function validateCommand(io: Io, paths: readonly string[], options: ValidateOptions): Promise<void> {
  const { readFiles } = await import("../../cluster/directory/read-once.ts");
  const { rowsOfFiles } = await import("../../cluster/directory/world-of-files.ts");
  const { createRuleReader } = await import("../../policy/from-objects.ts");
  const { notEnforced } = await import("../../policy/ask/not-enforced.ts");
  const files = readFiles(await readTexts(paths));
  const rows = rowsOfFiles(files);
  const { wrongClaims, unread, claims } = await judgeOthers(files);
  const refused = [...rows.refused, ...wrongClaims];
  const closed = notEnforced(createRuleReader().read(rows.tables).policies);
  const valid = rows.valid + claims;
  const skipped = files.reduce((n, f) => n + f.content.others.length, 0) - wrongClaims.length - claims;
  if (refused.length > 0) io.setExitCode(1);
  if (options.json) {
    const asked = closed.map((c) => ({
      kind: c.ref.kind,
      name: refText(c.ref).slice(c.ref.kind.length + 1),
      path: c.path,
      what: c.what,
    }));
    return printJson(io, { valid, skipped, refused: refusalJson(refused), notEnforced: asked, unread });
  }
  const { bad, good, warn } = io.palette;
  for (const r of refused) io.out(`${bad("refused")} ${refusalText(r)}`);
  for (const c of closed) io.out(`${warn("not enforced")} ${refText(c.ref)}: ${c.path}: ${c.what.join(", ")}\n`);
  for (const u of unread) io.out(`${warn("not enforced")} ${u}\n`);
  const summary = `${valid} valid, ${refused.length} refused, ${skipped} of other kinds\n`;
  io.out(refused.length === 0 ? good(summary) : summary);
}
