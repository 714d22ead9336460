/** Which source files no test leads to: the ones that only luck keeps right. */

import { stripTypeScriptTypes } from "node:module";
import { importSpecifiers, resolveSpecifier } from "./layers.ts";

/** Whether anything is left to run once types are gone. A file of types is checked by the compiler alone. */
export function hasCode(source: string): boolean {
  const bare = stripTypeScriptTypes(source)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "");
  return /[^\s;]/.test(bare.replace(/\bimport\b[^;]*;/g, "").replace(/\bexport\s*\{\s*\}/g, ""));
}

/** `src/net/gen/x.ts` lies in the layer `src/net/`. */
const layerOf = (file: string) => file.split("/").slice(0, 2).join("/");

/**
 * The files of `sources` with code that no test imports, neither itself nor through a neighbour: from an imported file
 * the way goes on only within its own layer, since what lies further down has its own tests to need.
 * Paths are relative to the root.
 */
export function untested(
  sources: readonly string[],
  tests: readonly string[],
  read: (file: string) => string,
): string[] {
  const known = new Set(sources);
  const imports = (file: string) =>
    importSpecifiers(read(file))
      .map((s) => resolveSpecifier(file, s))
      .filter((f) => known.has(f));
  const reached = new Set(tests.flatMap(imports));
  // A set that grows while it is walked is walked to its new end.
  for (const file of reached) for (const next of imports(file)) if (layerOf(next) === layerOf(file)) reached.add(next);
  return sources.filter((f) => !reached.has(f) && hasCode(read(f)));
}
