/**
 * Which test file runs in which suite. A file's place says it: beside the code it is a unit test, below `test/NAME/` it
 * belongs to the suite of that name, and a folder listed here runs with privileges.
 */

/** A set of test files that run under the same conditions. */
export interface Suite {
  readonly name: string;
  /** Privileged suites make namespaces and load eBPF: as root, each file in a room of its own. */
  readonly isPrivileged: boolean;
  /** One file after the other: they count what is lost in a moment, or measure. */
  readonly isAlone: boolean;
  /** Whether files see the machine's network: they fetch packages. */
  readonly isOnline: boolean;
  readonly files: readonly string[];
}

/** Folders of privileged tests that stand beside the code, and the suite that each belongs to. */
const privilegedFolders: readonly (readonly [string, string])[] = [
  ["src/kernel/linux/", "kernel"],
  ["src/lab/", "lab"],
];

/** Order in which privileged suites run: what others stand on comes first. Suites not named here follow by name. */
const order: readonly string[] = [
  "kernel",
  "bpf",
  "netns",
  "agent",
  "lab",
  "cluster",
  "chaining",
  "runtimes",
  "chaos",
  "bench",
];

const alone: ReadonlySet<string> = new Set(["cluster", "chaos", "bench"]);
const online: ReadonlySet<string> = new Set(["cluster"]);

function suiteOf(file: string): { name: string; isPrivileged: boolean } {
  const folder = privilegedFolders.find(([path]) => file.startsWith(path));
  if (folder !== undefined) return { name: folder[1], isPrivileged: true };
  const below = /^test\/([^/]+)\//.exec(file)?.[1];
  return below === undefined ? { name: "unit", isPrivileged: false } : { name: below, isPrivileged: true };
}

function rank(suite: Suite): number {
  if (!suite.isPrivileged) return -1;
  const at = order.indexOf(suite.name);
  return at < 0 ? order.length : at;
}

/** Sorts test files into suites; a file that is no test is left out. Paths are relative to the root. */
export function suitesOf(files: readonly string[]): Suite[] {
  const found = new Map<string, Suite & { files: string[] }>();
  for (const file of files.filter((f) => f.endsWith(".test.ts"))) {
    const { name, isPrivileged } = suiteOf(file);
    const isAlone = alone.has(name);
    const suite = found.get(name) ?? { name, isPrivileged, isAlone, isOnline: online.has(name), files: [] };
    suite.files.push(file);
    found.set(name, suite);
  }
  return [...found.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** The suites of that name, or else the files whose path holds the text. */
export function selectSuites(suites: readonly Suite[], only: string): Suite[] {
  const named = suites.filter((s) => s.name === only);
  if (named.length > 0) return named;
  return suites
    .map((s) => ({ ...s, files: s.files.filter((f) => f.includes(only)) }))
    .filter((s) => s.files.length > 0);
}
