// The native addon and the CNI shim: gcc, when their sources, the compiler or the flags changed.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { libDir } from "./packages.mjs";
import { findProgram } from "./probe.mjs";
import { mustRun, step } from "./steps.mjs";

const shared = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fstack-protector-strong", "-D_GNU_SOURCE"];
const addonFlags = [
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",

  "-Inode_modules/node-api-headers/include",
];

/** C sources of one target, and every header beside them, relative to the checkout. */
function sources(root) {
  const all = readdirSync(join(root, "native")).filter((f) => f.endsWith(".c") || f.endsWith(".h"));
  const shim = all.filter((f) => f === "shim.c");
  const addon = all.filter((f) => f.endsWith(".c") && f !== "shim.c");
  return { all: all.sort(), shim, addon: addon.sort() };
}

/** What is to be built: one gcc call each. */
function targets(root) {
  const { shim, addon } = sources(root);
  const found = [];
  const native = (f) => `native/${f}`;
  if (addon.length > 0)
    found.push({ out: "build/twill.node", args: [...shared, ...addonFlags, ...addon.map(native), "-lbpf"] });
  // Static: it runs from the node's /opt/cni/bin, where the host's libraries may be anything.
  if (shim.length > 0) found.push({ out: "build/twill-cni", args: [...shared, "-static", "-s", ...shim.map(native)] });
  return found;
}

function fingerprint(root, wanted) {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([process.arch, wanted, findProgram("gcc")]));
  for (const f of sources(root).all) hash.update(f).update(readFileSync(join(root, "native", f)));
  const header = `${libDir}/libbpf.so`;
  hash.update(existsSync(header) ? "libbpf" : "none");
  return hash.digest("hex");
}

/**
 * Builds what is out of date. Each result is written beside its place and renamed, so a program that runs from the old
 * file keeps it.
 * @throws SetupError with gcc's own words
 */
export async function ensureNative(root, logDir) {
  const wanted = targets(root);
  const stampFile = join(root, "build/.setup/native");
  const stamp = fingerprint(root, wanted);
  const isCurrent = wanted.every((t) => existsSync(join(root, t.out)));
  if (isCurrent && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  mkdirSync(join(root, "build/.setup"), { recursive: true });
  for (const t of wanted) {
    const temporary = `${t.out}.${process.pid}.tmp`;
    await step(`gcc: ${t.out}`, () =>
      mustRun("gcc", ["-o", temporary, ...t.args], {
        cwd: root,
        env: process.env,
        log: join(logDir, `${t.out.split("/").pop()}.log`),
        remedy: "The C sources do not compile with this gcc or libbpf: Debian 12's gcc 12 and libbpf 1.1 do.",
      }),
    );
    renameSync(join(root, temporary), join(root, t.out));
  }
  writeFileSync(stampFile, stamp);
}
