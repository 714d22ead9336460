/**
 * The file system of Twill's container image, made from this checkout: Node, its libraries, Twill, and nothing else.
 *
 * Everything is below `/opt/twill` and found from there, so that the same folder copied to a node's `/opt/twill` runs
 * there too: the CNI plugin needs it when no agent is. Programs carry their own C library for that: a node may have none,
 * or another.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { BUILD_ID_FILE, IMAGE_HOME } from "../../src/agent/host-copy.ts";
import { repoFiles, repoRoot } from "../../tools/repo-files.ts";
import { buildPrograms } from "./programs.ts";

/** Where Twill is in the image and, once installed, on a node. */
export const HOME = IMAGE_HOME;

const LIBRARIES = `${HOME}/lib`;
const NODE = `${HOME}/bin/node`;

/** What of the checkout goes into the image as it is: what says where Twill is, compiled programs, licences. */
function isShipped(file: string): boolean {
  return (
    file === "bpf/gen/twill.o" || file === "bpf/gen/hollow.o" || file === "package.json" || file.startsWith("LICENSE")
  );
}

/** Shared libraries of a program or library as the loader finds them here, the loader included. */
function librariesOf(file: string): readonly string[] {
  const lines = execFileSync("ldd", [file], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => /(?:=> |^\s*)(\/\S+)/.exec(line)?.[1] ?? []);
}

/** `twill` on PATH: a program for `kubectl exec`, where there is no shell. */
const COMMAND = `#!${NODE}\nawait import("${HOME}/src/cli/main.js");\n`;

/** Names the content of a folder: paths, and what is in the files. */
function contentId(directory: string): string {
  const hash = createHash("sha256");
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name))
    .sort();
  for (const file of files)
    hash
      .update(`${relative(directory, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  return hash.digest("hex");
}

/** Same content, same archive: no file may carry the time at which it was copied. */
function forgetTimes(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) forgetTimes(child);
    else lutimesSync(child, 0, 0);
  }
  lutimesSync(path, 0, 0);
}

/**
 * Twill without Node, as images have it: what its programs are made of, and what they load.
 * @param root of the checkout, with `npm ci` and the native build done
 * @param home a folder; what is there already stays
 */
export function makeHome(root: string, home: string): void {
  for (const file of repoFiles().filter(isShipped)) cpSync(join(root, file), join(home, file));
  for (const file of ["twill.node", "twill-cni"]) cpSync(join(root, "build", file), join(home, "build", file));
  buildPrograms(root, home);
}

/**
 * Makes the file system.
 * @param root of the checkout, with `npm ci` and the native build done
 * @param target an empty folder
 * @throws Error when a tool (`strip`, `patchelf`) or a built file is missing
 */
function makeImageRoot(root: string, target: string): void {
  const home = join(target, HOME);
  chmodSync(target, 0o755);
  const inHome = (path: string) => join(home, path);
  for (const dir of ["bin", "lib"]) mkdirSync(inHome(dir), { recursive: true });
  makeHome(root, home);

  const node = join(root, `node_modules/node-linux-${process.arch}/bin/node`);
  cpSync(node, inHome("bin/node"));
  execFileSync("strip", [inHome("bin/node")]);
  const libraries = new Set([...librariesOf(node), ...librariesOf(join(root, "build/twill.node"))]);
  const loader = [...libraries].find((l) => basename(l).startsWith("ld-linux"));
  if (loader === undefined) throw new Error(`Cannot find the loader of "${node}" among ${[...libraries].join(", ")}`);
  for (const library of libraries) copyFileSync(library, inHome(`lib/${basename(library)}`));
  // RPATH and not RUNPATH: it holds for libraries that libraries need, too.
  const search = ["--force-rpath", "--set-rpath", LIBRARIES];
  execFileSync("patchelf", [...search, "--set-interpreter", `${LIBRARIES}/${basename(loader)}`, inHome("bin/node")]);
  execFileSync("patchelf", [...search, inHome("build/twill.node")]);

  writeFileSync(inHome("bin/twill"), COMMAND);
  chmodSync(inHome("bin/twill"), 0o755);
  writeFileSync(inHome(BUILD_ID_FILE), `${contentId(home)}\n`);
  mkdirSync(join(target, "usr/local/bin"), { recursive: true });
  symlinkSync(`${HOME}/bin/twill`, join(target, "usr/local/bin/twill"));
  for (const dir of ["etc", "proc", "sys", "dev", "run", "tmp"]) mkdirSync(join(target, dir));
  chmodSync(join(target, "tmp"), 0o1777);
  writeFileSync(join(target, "etc/passwd"), "root:x:0:0:root:/:/opt/twill/bin/twill\n");
  writeFileSync(join(target, "etc/group"), "root:x:0:\n");
  forgetTimes(target);
}

/**
 * Makes the file system of this checkout's image beside a file that is to be written, for as long as the work takes.
 * @throws Error as {@link makeImageRoot}
 */
export function withImageRoot<T>(archive: string, work: (root: string) => T): T {
  const root = mkdtempSync(join(dirname(resolve(archive)), ".twill-root-"));
  try {
    makeImageRoot(repoRoot, root);
    return work(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
