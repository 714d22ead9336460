/**
 * Builds build/twill.node (the addon) and build/twill-cni (the exec shim) with plain gcc: no node-gyp, no downloads.
 * Incremental: nothing is compiled whose sources, headers and command line are as at the last time. Runs on Node 18.
 *
 *   node native/build.mjs [--force]
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { addonSources } from "./sources.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(root, "native");
const build = join(root, "build");
const compiler = process.env.CC || "gcc";
const warnings = ["-Wall", "-Wextra", "-Werror=implicit-function-declaration", "-Wno-missing-field-initializers"];
const isForced = process.argv.includes("--force");

/** Everything that decides the output: contents of the inputs and the command. */
function stampOf(inputs, command) {
  const hash = createHash("sha256").update(JSON.stringify(command));
  for (const input of inputs) hash.update(input).update("\0").update(readFileSync(input)).update("\0");
  return hash.digest("hex");
}

/** Runs one compiler command unless its stamp is unchanged; the output appears whole or not at all. */
function make(output, inputs, args, cc = compiler) {
  const stampFile = `${output}.stamp`;
  const stamp = stampOf(inputs, [cc, ...args]);
  if (!isForced && existsSync(output) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp)
    return false;
  const partial = `${output}.${process.pid}`;
  const result = spawnSync(cc, [...args, "-o", partial], { cwd: root, encoding: "utf8" });
  if (result.error !== undefined)
    throw new Error(
      `Cannot run "${cc}": ${result.error.message}; on Debian, apt-get install gcc libc6-dev would bring it`,
    );
  if (result.status !== 0) throw new Error(`Cannot build "${output}":\n${result.stderr}`);
  if (result.stderr !== "") process.stderr.write(result.stderr);
  renameSync(partial, output);
  writeFileSync(stampFile, stamp);
  return true;
}

function sources(prefix, suffix) {
  return readdirSync(native)
    .filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
    .sort()
    .map((name) => join(native, name));
}

function buildAddon() {
  const include = join(root, "node_modules", "node-api-headers", "include");
  if (!existsSync(include)) throw new Error(`Cannot build the addon: "${include}" is missing; npm ci would bring it`);
  if (!existsSync("/usr/include/bpf/libbpf.h"))
    throw new Error(
      'Cannot build the addon: "bpf/libbpf.h" is missing; on Debian, apt-get install libbpf-dev would bring it',
    );
  const headers = sources("addon", ".h");
  const objects = [];
  let changed = false;
  mkdirSync(join(build, "obj"), { recursive: true });
  for (const source of sources("addon", ".c")) {
    const object = join(build, "obj", `${source.slice(native.length + 1, -2)}.o`);
    const args = ["-std=gnu11", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", ...warnings, "-I", include, "-c", source];
    if (source === join(native, "addon.c")) args.push(`-DADDON_SOURCES="${addonSources()}"`);
    changed = make(object, [source, ...headers], args) || changed;
    objects.push(object);
  }
  const output = join(build, "twill.node");
  return make(output, objects, ["-shared", ...objects, "-lbpf", "-Wl,-z,relro,-z,now"]) || changed;
}

/** musl's static programs start in a third of the time of glibc's, and the shim is started for every call. */
function shimCompiler() {
  return process.env.CC || spawnSync("musl-gcc", ["--version"]).error !== undefined ? compiler : "musl-gcc";
}

function buildShim() {
  const source = join(native, "shim.c");
  if (!existsSync(source)) return false;
  const args = ["-std=gnu11", "-O2", "-static", "-s", ...warnings, source];
  return make(join(build, "twill-cni"), [source, ...sources("shim", ".h")], args, shimCompiler());
}

try {
  mkdirSync(build, { recursive: true });
  const changed = [buildAddon() ? "twill.node" : "", buildShim() ? "twill-cni" : ""].filter((name) => name !== "");
  if (changed.length > 0) process.stdout.write(`Built ${changed.join(" and ")}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
