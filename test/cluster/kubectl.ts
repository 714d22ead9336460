/** For tests: the kubectls that this machine has, and running them. */

import { type ExecFileException, execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A kubectl. */
export interface Kubectl {
  readonly path: string;
  /** As `1.32`. */
  readonly version: string;
  readonly minor: number;
}

/** What a run gave. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEBIAN = "kubernetes-client";

function inspect(path: string): Kubectl | undefined {
  try {
    const text = execFileSync(path, ["version", "--client", "-o", "json"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const { major, minor } = (JSON.parse(text) as { clientVersion: { major: string; minor: string } }).clientVersion;
    const number = Number.parseInt(minor, 10);
    return { path, version: `${major}.${number}`, minor: number };
  } catch {
    return undefined;
  }
}

/** The first minor version of 1 that runs exec and attach over WebSocket rather than SPDY. */
const FIRST_WITH_WEBSOCKET = 31;

/** Why this kubectl cannot enter the lab's pods, for a skip; undefined when it can. */
export function cannotExec(kubectl: Kubectl | undefined): string | undefined {
  if (kubectl === undefined) return "no kubectl on PATH";
  if (kubectl.minor >= FIRST_WITH_WEBSOCKET) return undefined;
  return `kubectl ${kubectl.version} has exec over SPDY only, 1.${FIRST_WITH_WEBSOCKET} is the first with WebSocket`;
}

/** The kubectl on PATH. */
export function kubectlOnPath(): Kubectl | undefined {
  return inspect("kubectl");
}

/**
 * Debian's own kubectl, unpacked below `build/` and not installed: its package would overwrite another's file.
 * @returns the reason as text when it cannot be had
 */
export function debianKubectl(): Kubectl | string {
  const unpacked = join(import.meta.dirname, "../../build/cache", DEBIAN);
  const path = join(unpacked, "usr/bin/kubectl");
  if (!existsSync(path)) {
    const scratch = `${unpacked}.${process.pid}`;
    try {
      mkdirSync(scratch, { recursive: true });
      execFileSync("apt-get", ["download", "-qq", DEBIAN], { cwd: scratch, stdio: "pipe", timeout: 120_000 });
      const file = readdirSync(scratch).find((f) => f.endsWith(".deb"));
      if (file === undefined) return `apt-get has no ${DEBIAN}`;
      execFileSync("dpkg", ["-x", file, "."], { cwd: scratch, stdio: "pipe" });
      rmSync(join(scratch, file));
      rmSync(unpacked, { recursive: true, force: true });
      renameSync(scratch, unpacked);
    } catch (error) {
      return `Debian's ${DEBIAN} cannot be had: ${(error as Error).message.split("\n")[0]}`;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  return inspect(path) ?? `${path} does not run`;
}

/** Runs a kubectl to its end. Its caches go below `home`. */
export function runKubectl(
  kubectl: Kubectl,
  args: readonly string[],
  options: { readonly kubeconfig: string; readonly home: string; readonly input?: string; readonly timeoutMs?: number },
): Promise<Output> {
  const env = { PATH: process.env["PATH"], HOME: options.home, KUBECONFIG: options.kubeconfig };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 255, stdout, stderr });
    const child = execFile(
      kubectl.path,
      args,
      { env, timeout: options.timeoutMs ?? 60_000, maxBuffer: 64 << 20 },
      done,
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}
