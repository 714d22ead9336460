// The native addon and the CNI shim: native/build.mjs builds them, and this file knows when it need not even be asked.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findProgram } from "./probe.mjs";
import { mustRun, step } from "./steps.mjs";

const outputs = ["build/twill.node", "build/twill-cni"];

/** Everything in native/, the compiler's place and the machine's kind. */
function fingerprint(root) {
  const hash = createHash("sha256").update(`${process.arch} ${findProgram("gcc")}`);
  const dir = join(root, "native");
  for (const name of readdirSync(dir).sort()) hash.update(name).update(readFileSync(join(dir, name)));
  return hash.digest("hex");
}

const stampFile = (root) => join(root, "build/.setup/native");

/** Whether what is built is what native/ now gives. */
export function isNativeCurrent(root) {
  const isThere = outputs.every((f) => existsSync(join(root, f)));
  return isThere && existsSync(stampFile(root)) && readFileSync(stampFile(root), "utf8") === fingerprint(root);
}

/**
 * Builds what is out of date.
 * @throws SetupError with gcc's own words
 */
export async function ensureNative(root, logDir) {
  if (isNativeCurrent(root)) return;
  // Taken before the build: a source that changes meanwhile makes the next run build again.
  const stamp = fingerprint(root);
  await step(`gcc: ${outputs.join(" and ")}`, () =>
    mustRun(process.execPath, [join(root, "native/build.mjs")], {
      cwd: root,
      env: process.env,
      log: join(logDir, "native.log"),
      remedy: "The C sources do not compile with this gcc or libbpf: Debian 12's gcc 12 and libbpf 1.1 do.",
    }),
  );
  mkdirSync(dirname(stampFile(root)), { recursive: true });
  writeFileSync(stampFile(root), stamp);
}
