/**
 * Twill's programs as an image has them: JavaScript in a few files, made of `src/` and of what it uses of the packages. An
 * agent that is read from hundreds of files of TypeScript keeps 20 MB more for the rest of its life.
 *
 * Paths are those of the checkout but for the extension, so that everything is found from both alike: see
 * `src/kernel/linux/home.ts`.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuildOptions, buildSync } from "esbuild";

/** What is started. What it loads when it needs it is found from there. */
const ENTRIES = ["src/cli/main.ts", "src/agent/cni/offline-main.ts"];

/** The lab is no part of an image. */
const LEFT_OUT = ["../lab/command.ts"];

/** Packages of the older kind ask for Node's own by `require`. */
const REQUIRE = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);';

/** Not minified: a failure says names that the sources have, and a line that somebody can read. */
const HOW: BuildOptions = {
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "esnext",
  outbase: "src",
  chunkNames: "parts/[name]-[hash]",
  external: LEFT_OUT,
  banner: { js: REQUIRE },
  logLevel: "warning",
  write: false,
};

/** In strings esbuild has escaped it, in comments not: a file with one letter beyond Latin-1 V8 keeps in two bytes for each letter. */
function withAsciiComments(text: string): string {
  return text.replace(/^\s*(?:\/\*|\*|\/\/).*$/gm, (line) => line.replace(/\P{ASCII}/gu, "?"));
}

/** Names of the packages that run, with what they need in turn, from the lock file. */
function runtimePackages(root: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, p]) => path !== "" && p.dev !== true && p.optional !== true)
    .map(([path]) => path);
}

/**
 * Writes the programs, and the licences of the packages that they are made of.
 * @param root of the checkout, with `npm ci` done
 * @param home gets them below `src/` and `licenses/`
 * @throws Error when something that is imported is missing
 */
export function buildPrograms(root: string, home: string): void {
  const built = buildSync({ ...HOW, absWorkingDir: root, entryPoints: ENTRIES, outdir: join(home, "src") });
  for (const { path, text } of built.outputFiles ?? []) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, withAsciiComments(text));
  }
  for (const path of runtimePackages(root))
    for (const name of readdirSync(join(root, path)).filter((n) => /^licen[cs]e/i.test(n)))
      cpSync(join(root, path, name), join(home, "licenses", path.replace(/^node_modules\//, ""), name));
}
