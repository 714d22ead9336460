/**
 * Who may import whom: the table of design section "The house" as data, and a plain scan that judges imports by it.
 *
 * A folder imports only lower ranks, never a sibling of its own rank. `import type` counts as an import. The scan reads
 * text, not syntax trees: TypeScript is no library here, and stripping types would hide type imports.
 */

/** One folder below `src/`. */
export interface Layer {
  readonly folder: string;
  readonly rank: number;
  /** Pure folders compute: no Node, no clock, no console. The pure tsconfig checks globals, this table the imports. */
  readonly pure: boolean;
  /** What lives here, in one line. */
  readonly what: string;
}

/** Lowest rank first. */
export const layers: readonly Layer[] = [
  { folder: "base", rank: 0, pure: true, what: "Result, Brand, queues, backoff: no knowledge of networks" },
  { folder: "net", rank: 1, pure: true, what: "addresses, prefixes, packets, netlink and map codecs" },
  { folder: "store", rank: 1, pure: true, what: "immutable tables with revisions" },
  { folder: "model", rank: 2, pure: true, what: "cluster objects to validated domain model" },
  { folder: "policy", rank: 3, pure: true, what: "dialects to rules to verdicts" },
  { folder: "ipam", rank: 3, pure: true, what: "pools, blocks, leases" },
  { folder: "service", rank: 3, pure: true, what: "Services to frontends and backends" },
  { folder: "routing", rank: 3, pure: true, what: "nodes and mode to routes and tunnels" },
  { folder: "flow", rank: 3, pure: true, what: "event bytes to flows" },
  { folder: "cni", rank: 3, pure: true, what: "CNI types, versions, conversion" },
  { folder: "plan", rank: 4, pure: true, what: "snapshot to the desired state of one node" },
  { folder: "kernel", rank: 5, pure: false, what: "the kernel, real and fake" },
  { folder: "cluster", rank: 5, pure: false, what: "the Kubernetes API, real and embedded" },
  { folder: "engine", rank: 5, pure: false, what: "supervised daemons" },
  { folder: "ledger", rank: 5, pure: false, what: "what a node remembers between processes" },
  { folder: "agent", rank: 6, pure: false, what: "the reconcile loop and the servers of one node" },
  { folder: "api", rank: 6, pure: false, what: "what other programs import" },
  { folder: "lab", rank: 7, pure: false, what: "the cluster in a box" },
  { folder: "cli", rank: 8, pure: false, what: "the commands" },
];

/** Packages that only compute, so a pure folder may use them. */
const purePackages: readonly string[] = ["zod", "yaml"];

/** What a test beside the code may use on top of what its folder may: files of test data, and parsers to compare with. */
const testImports: readonly string[] = ["node:test", "node:assert/strict", "node:fs", "node:net", "fast-check"];

/** The only folder that may load the native addon: everybody else goes through the interface in `src/kernel`. */
const addonFolder = "src/kernel/linux/";

/** One import that the table forbids. */
export interface Violation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** `folder → folder: reason (file)`. */
export function formatViolation(v: Violation): string {
  return `${v.from} → ${v.to}: ${v.reason} (${v.file})`;
}

/** The specifiers of static imports, re-exports and dynamic imports with a literal. Comments are not seen as code. */
export function importSpecifiers(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found: string[] = [];
  const forms = [/^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm, /\bimport\s*\(?\s*["']([^"']+)["']/g];
  for (const form of forms) for (const m of code.matchAll(form)) if (m[1] !== undefined) found.push(m[1]);
  return found;
}

/** `src/net/gen/x.ts` and `../base/y.ts` become `src/net/base/y.ts`; paths use `/` and stay below the root. */
export function resolveSpecifier(file: string, specifier: string): string {
  const parts = file.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}

function layerOf(path: string): Layer | undefined {
  const [root, folder] = path.split("/");
  return root === "src" ? layers.find((l) => l.folder === folder) : undefined;
}

function judgePackage(file: string, layer: Layer, specifier: string): Violation | undefined {
  if (!layer.pure) return undefined;
  if (file.endsWith(".test.ts") && testImports.includes(specifier)) return undefined;
  if (purePackages.includes(specifier)) return undefined;
  return {
    file,
    from: layer.folder,
    to: specifier,
    reason: "a pure folder names neither Node nor packages that do I/O",
  };
}

function judgeRelative(file: string, layer: Layer, specifier: string): Violation | undefined {
  const target = resolveSpecifier(file, specifier);
  const other = layerOf(target);
  const from = layer.folder;
  if (other === undefined) return { file, from, to: target, reason: "the product imports nothing outside src/" };
  if (other.folder === from || other.rank < layer.rank) return undefined;
  const reason =
    other.rank === layer.rank
      ? `siblings of rank ${layer.rank} do not know each other; what both need goes further down`
      : `rank ${layer.rank} may import only lower ranks, and "${other.folder}" (${other.what}) has rank ${other.rank}`;
  return { file, from, to: other.folder, reason };
}

/** Everything about one file below `src/` that the table forbids. `file` is relative to the repository, with `/`. */
export function judgeFile(file: string, source: string): Violation[] {
  const layer = layerOf(file);
  if (layer === undefined)
    return [{ file, from: file, to: "?", reason: "the folder has no rank: give it one in tools/layers.ts" }];
  const found: Violation[] = [];
  for (const specifier of importSpecifiers(source)) {
    const v = specifier.startsWith(".") ? judgeRelative(file, layer, specifier) : judgePackage(file, layer, specifier);
    if (v !== undefined) found.push(v);
  }
  if (/twill\.node|process\.dlopen/.test(source) && !file.startsWith(addonFolder))
    found.push({ file, from: layer.folder, to: "twill.node", reason: `only ${addonFolder} may load the native addon` });
  return found;
}
