// Runs one of Twill's commands, after doing whatever set-up it still needs. This file and scripts/setup/ run on the Node
// that a bare machine has (18 or newer) without any npm package; the command itself runs on the Node pinned in
// package-lock.json.
//
//   node scripts/run.mjs lab|test|test:cluster|bench|ok|build|setup [arguments]

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { arch, constants, release } from "node:os";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { ensurePackages } from "./setup/apt.mjs";
import { withLock } from "./setup/lock.mjs";
import { checkPlatform, checkPowers, systemName } from "./setup/machine.mjs";
import { ensureNative, isNativeCurrent } from "./setup/native.mjs";
import { ensureModules, pinnedNode, staleReason } from "./setup/npm.mjs";
import { missingPackages } from "./setup/packages.mjs";
import { isThere, withSbin } from "./setup/probe.mjs";
import { SetupError, say } from "./setup/steps.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const logDir = join(root, "build/.setup/log");

/** entry: the verb's TypeScript; powers: needs root and a fitting kernel; native: needs the addon. */
const verbs = {
  lab: { entry: "src/lab/main.ts", powers: true, native: true, what: "the cluster in a box, and its demonstration" },
  test: { entry: "tools/test.ts", powers: true, native: true, what: "the whole gate" },
  "test:cluster": {
    entry: "test/cluster/main.ts",
    powers: true,
    native: true,
    what: "the gate's cluster part on a real Kubernetes, whose programs it builds once",
  },
  bench: {
    entry: "bench/main.ts",
    powers: true,
    native: true,
    what: "benchmarks: cni, path, pods, policy, scale, services, rolling",
  },
  ok: { entry: "tools/test.ts", args: ["--fast"], what: "the part of the gate that needs no root" },
  build: { native: true, what: "the native addon and the CNI shim" },
  setup: { what: "only the set-up, of all commands or of the one named" },
};

function usage() {
  const lines = Object.entries(verbs).map(([name, v]) => `  ${name.padEnd(12)} ${v.what}`);
  return `Usage: node scripts/run.mjs COMMAND [arguments]\n${lines.join("\n")}`;
}

const needsNative = (names) => names.some((n) => verbs[n].native);

/** Whether nothing is to be done: a few milliseconds, and no lock. */
function isSetUp(names) {
  const hasPackages = missingPackages(names, isThere).length === 0;
  return hasPackages && staleReason(root) === undefined && (!needsNative(names) || isNativeCurrent(root));
}

async function setUp(names) {
  const start = performance.now();
  say(`Set-up for "${names.join(", ")}" on ${systemName()}, ${arch()}, kernel ${release()}; once, then skipped`);
  await ensurePackages(names, logDir);
  await ensureModules(root, logDir);
  if (needsNative(names)) await ensureNative(root, logDir);
  say(`Set-up took ${((performance.now() - start) / 1000).toFixed(1)} s in all\n`);
}

/** Runs the verb's entry on the pinned Node and ends as it ends. */
function exec(verb, args) {
  const v = verbs[verb];
  if (!existsSync(join(root, v.entry)))
    throw new SetupError(`Cannot run "${verb}": "${v.entry}" is not in this checkout`, "Update the checkout.");
  const env = {
    ...process.env,
    PATH: withSbin(process.env.PATH),
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "build/compile-cache"),
  };
  const child = spawn(join(root, pinnedNode), [join(root, v.entry), ...(v.args ?? []), ...args], {
    env,
    stdio: "inherit",
  });
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // A terminal sends Ctrl-C to the whole group, the child included; without one it has to be handed on.
  process.on("SIGINT", () => {
    if (!process.stdin.isTTY) child.kill("SIGINT");
  });
  child.on("error", (e) => fail(new SetupError(`Cannot start ${pinnedNode}: ${e.message}`, "Remove node_modules.")));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function fail(e) {
  if (!(e instanceof SetupError)) throw e;
  say(`\n✖ ${e.message}\n\n  What to do: ${e.remedy}`);
  process.exit(1);
}

async function main([verb, ...args]) {
  if (verb === undefined || !Object.hasOwn(verbs, verb)) {
    say(usage());
    process.exit(2);
  }
  checkPlatform();
  const setupOf = verb === "setup" ? (args.length > 0 ? args : ["lab", "test", "bench"]) : [verb];
  const unknown = setupOf.find((n) => !Object.hasOwn(verbs, n));
  if (unknown !== undefined) throw new SetupError(`Unknown command "${unknown}"`, usage());
  for (const n of setupOf) if (verbs[n].powers) checkPowers(n);
  if (!isSetUp(setupOf)) await withLock(root, () => setUp(setupOf));
  if (verbs[verb].entry !== undefined) exec(verb, args);
}

await main(process.argv.slice(2)).catch(fail);
