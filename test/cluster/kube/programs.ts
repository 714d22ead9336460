/**
 * Kubernetes' own programs, built once from Debian's source package and kept outside of the checkout.
 *
 * Debian 12 has Kubernetes 1.20.2: old, but the real thing. Whoever has newer programs names their folder in
 * `TWILL_KUBERNETES`.
 */

import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join } from "node:path";

/** What a cluster runs. */
const KUBERNETES_PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
] as const;

/** Name of one of them. */
export type KubernetesProgram = (typeof KUBERNETES_PROGRAMS)[number];

const SUITE = "bookworm";
const PACKAGE = "kubernetes";
/**
 * The vendored reflect2 1.0.1 calls a function of Go's `reflect` whose signature Go 1.18 changed: the API server would
 * crash at the first custom resource. Debian's own package of it is newer.
 */
const REFLECT2 = { package: "golang-github-modern-go-reflect2", path: "vendor/github.com/modern-go/reflect2" };

/** Where built programs are kept: `$TWILL_KUBERNETES`, or below the user's cache. */
export function programDirectory(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return process.env["TWILL_KUBERNETES"] ?? join(cache, "twill/kubernetes-1.20.2");
}

/** Those that are not there. */
function missingPrograms(directory = programDirectory()): readonly KubernetesProgram[] {
  return KUBERNETES_PROGRAMS.filter((name) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return false;
    } catch {
      return true;
    }
  });
}

/** What else a cluster needs on PATH. */
const TOOLS = ["etcd", "kubectl", "containerd", "runc", "buildah", "patchelf", "busybox"];

/** Why no cluster can be made here; undefined: one can. */
export function cannotRun(): string | undefined {
  const places = (process.env["PATH"] ?? "").split(delimiter);
  const tools = TOOLS.filter((tool) => !places.some((place) => existsSync(join(place, tool))));
  const missing = [...missingPrograms(), ...tools];
  return missing.length === 0
    ? undefined
    : `no ${missing.join(", ")} here: "npm run test:cluster" brings what is missing`;
}

type Say = (line: string) => void;

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** @throws Error with the end of what it printed */
function run(argv: readonly string[], { cwd, env }: RunOptions = {}): string {
  const [file = "", ...args] = argv;
  const ended = spawnSync(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (ended.error !== undefined) throw new Error(`Cannot run "${file}": ${ended.error.message}`);
  if (ended.status === 0) return ended.stdout;
  throw new Error(`Command "${argv.join(" ")}" ended with status ${ended.status}: ${ended.stderr.slice(-3000)}`);
}

/** A mirror that this machine's apt uses already. */
function mirror(): string {
  const format = ["--format", "$(SITE)", `Codename: ${SUITE}`];
  const [site] = run(["apt-get", "indextargets", ...format]).split("\n");
  if (site === undefined || site === "")
    throw new Error(
      `apt knows no mirror of ${SUITE}: "apt-get update" would tell it, or name a folder in TWILL_KUBERNETES`,
    );
  return site;
}

/** Downloads both source packages without touching the machine's apt. @returns the unpacked tree's folder */
function fetchSource(work: string): { readonly tree: string; readonly version: string } {
  const apt = join(work, "apt");
  for (const dir of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, dir), { recursive: true });
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(join(apt, "sources.list"), `deb-src [signed-by=${keyring}] ${mirror()} ${SUITE} main\n`);
  const options = [
    `Dir::Etc::sourcelist=${apt}/sources.list`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${apt}/lists`,
    `Dir::Cache=${apt}/cache`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
  ].flatMap((o) => ["-o", o]);
  run(["apt-get", ...options, "-qq", "update"]);
  run(["apt-get", ...options, "-q", "source", "--download-only", PACKAGE, REFLECT2.package], { cwd: work });
  const archive = (name: string) => {
    const found = readdirSync(work).find((f) => f.startsWith(`${name}_`) && f.includes(".orig.tar."));
    if (found === undefined) throw new Error(`apt-get brought no source archive of ${name} to "${work}"`);
    return join(work, found);
  };
  // Debian's patches touch only kubectl: the upstream archive is enough.
  const tree = join(work, "tree");
  const unpack = (file: string, target: string) => {
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    run(["tar", "-C", target, "--strip-components=1", "--exclude=*/reflect2*_test.go", "-xf", file]);
  };
  unpack(archive(PACKAGE), tree);
  unpack(archive(REFLECT2.package), join(tree, REFLECT2.path));
  // kubernetes_1.20.5+really1.20.2.orig.tar.gz is 1.20.2.
  const version = /_(?:.*really)?([0-9.]+)\.orig/.exec(basename(archive(PACKAGE)))?.[1] ?? "unknown";
  return { tree, version: `v${version}` };
}

function compile(work: string, tree: string, version: string, target: string, say: Say): void {
  // Built below GOPATH: a Go that is newer than the tree refuses its vendor directory as a module.
  const place = join(work, "go/src/k8s.io");
  mkdirSync(place, { recursive: true });
  symlinkSync(tree, join(place, "kubernetes"));
  const env = {
    GOPATH: join(work, "go"),
    GO111MODULE: "off",
    CGO_ENABLED: "0",
    GOFLAGS: "",
    GOCACHE: join(work, "cache"),
    // A compiler lives for seconds: time is dearer than the memory that it would give back.
    GOGC: "800",
  };
  const shell = (script: string, more: Readonly<Record<string, string>> = {}) =>
    // cd keeps the logical path, which is what Go looks below GOPATH for.
    run(["bash", "-c", `cd '${place}/kubernetes' && ${script}`], { env: { ...env, ...more } });
  say("generating code");
  const git = { KUBE_GIT_VERSION: version, KUBE_GIT_TREE_STATE: "archive", KUBE_GIT_COMMIT: "unknown" };
  shell("make generated_files", git);
  const packages = ["component-base/version", "client-go/pkg/version"].map(
    (p) => `k8s.io/kubernetes/vendor/k8s.io/${p}`,
  );
  const minor = version.split(".")[1] ?? "";
  const stamps = packages.flatMap((p) => [
    `-X ${p}.gitVersion=${version}`,
    `-X ${p}.gitMajor=1`,
    `-X ${p}.gitMinor=${minor}`,
  ]);
  const flags = ["-s -w", ...stamps].join(" ");
  for (const name of missingPrograms(target)) {
    const start = performance.now();
    shell(`go build -trimpath -ldflags '${flags}' -o '${work}/${name}' ./cmd/${name}`);
    cpSync(join(work, name), join(target, `.${name}`));
    renameSync(join(target, `.${name}`), join(target, name));
    say(`built ${name} ${version} in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  }
}

/**
 * Builds what is missing: some ten minutes of two CPUs, 4 GB of disk meanwhile. What is built is kept when a later one fails.
 * @returns the folder
 */
export function ensurePrograms(say: Say): string {
  const target = programDirectory();
  const missing = missingPrograms(target);
  if (missing.length === 0) return target;
  if (process.env["TWILL_KUBERNETES"] !== undefined)
    throw new Error(`TWILL_KUBERNETES "${target}" lacks ${missing.join(", ")}`);
  mkdirSync(target, { recursive: true });
  const work = `${target}.build-${process.pid}`;
  try {
    mkdirSync(work, { recursive: true });
    say(`fetching Debian's source of Kubernetes, to build ${missing.join(", ")} into ${target}`);
    const { tree, version } = fetchSource(work);
    compile(work, tree, version, target, say);
  } finally {
    // Go's module cache is read-only.
    run(["chmod", "-R", "u+w", work]);
    rmSync(work, { recursive: true, force: true });
  }
  return target;
}

if (import.meta.main) ensurePrograms((line) => process.stdout.write(`${line}\n`));
