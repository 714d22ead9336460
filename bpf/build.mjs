/**
 * Compiles the eBPF object that is checked in as bpf/gen/twill.o. Only who changes the programs needs clang.
 *
 *   node bpf/build.mjs           build bpf/gen/twill.o and bpf/gen/twill-test.o
 *   node bpf/build.mjs --check   build elsewhere and fail when the checked-in files differ (clang 14 only)
 *
 * The same sources give the same bytes in whatever directory they lie: paths are relative, DWARF is stripped, BTF stays.
 * Plain JavaScript for whatever Node is at hand: no type stripping is needed to build.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** The clang whose output is checked in; others make working but different objects. */
const WANTED_CLANG = 14;

/** What is built: the product, the same with its effects written into the packet's control block, and only its maps. */
const OBJECTS = [
  { name: "twill.o", source: "twill.c", defines: [] },
  { name: "twill-test.o", source: "twill.c", defines: ["-DTWILL_TEST"] },
  { name: "hollow.o", source: "hollow.c", defines: [] },
];

function run(command, args) {
  return execFileSync(command, args, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function clangVersion(clang) {
  return Number(/clang version (\d+)/.exec(run(clang, ["--version"]))?.[1] ?? 0);
}

/** <asm/types.h> lies below a directory named after the machine; its content for our purposes does not vary. */
function headerDirectories() {
  const machine = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch] ?? process.arch;
  return [`/usr/include/${machine}`].filter((d) => existsSync(d));
}

function build(clang, object, target) {
  const include = headerDirectories().flatMap((d) => ["-idirafter", d]);
  const paths = [`-ffile-prefix-map=${here}=.`, "-fdebug-compilation-dir=."];
  const flags = [
    "-O2",
    "-g",
    "-target",
    "bpf",
    "-mcpu=v3",
    "-fno-strict-aliasing",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
  ];
  // The kernel's headers declare structs in parameter lists of helpers that are never used here.
  run(clang, [
    ...flags,
    "-Wno-sign-compare",
    ...object.defines,
    ...paths,
    ...include,
    "-c",
    object.source,
    "-o",
    target,
  ]);
  const strip = existsSync(`/usr/bin/llvm-strip-${WANTED_CLANG}`) ? `llvm-strip-${WANTED_CLANG}` : "llvm-strip";
  run(strip, ["-g", target]);
}

function main(isCheck) {
  const clang = process.env.CLANG ?? (existsSync(`/usr/bin/clang-${WANTED_CLANG}`) ? `clang-${WANTED_CLANG}` : "clang");
  const version = clangVersion(clang);
  if (isCheck && version !== WANTED_CLANG) {
    console.log(`skip: clang ${version} is not the clang ${WANTED_CLANG} whose output is checked in`);
    return;
  }
  const scratch = mkdtempSync(join(isCheck ? tmpdir() : join(here, "gen"), "twill-bpf-"));
  try {
    for (const object of OBJECTS) {
      const made = join(scratch, object.name);
      const kept = join(here, "gen", object.name);
      build(clang, object, made);
      if (!isCheck) renameSync(made, kept);
      else if (!existsSync(kept) || !readFileSync(made).equals(readFileSync(kept))) {
        throw new Error(`bpf/gen/${object.name} is not what its sources give: run "node bpf/build.mjs" and commit it`);
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

main(process.argv.includes("--check"));
