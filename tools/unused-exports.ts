/**
 * Exported values that no other file names. A plain scan of words, as a syntax tree is not to be had (see layers.ts): a name
 * that stands anywhere else counts as used. Types may be exported for the signatures that speak of them.
 */

const EXPORTED = /^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm;

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** As `file: name`. @param files all that could use something */
export function unusedExports(files: readonly string[], textOf: (file: string) => string): string[] {
  const filesWith = new Map<string, number>();
  const codes = files.map((file) => [file, withoutComments(textOf(file))] as const);
  for (const [, code] of codes)
    for (const word of new Set(code.match(/\w+/g))) filesWith.set(word, (filesWith.get(word) ?? 0) + 1);
  return codes.flatMap(([file, code]) =>
    Array.from(code.matchAll(EXPORTED), ([, name = ""]) => name)
      .filter((name) => filesWith.get(name) === 1)
      .map((name) => `${file}: ${name}`),
  );
}
