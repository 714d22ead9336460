/** The suite's images, built once for all of its files and kept below `build/` under a name that says what went in. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildImage } from "../../../install/image/build.ts";
import { repoFiles, repoRoot } from "../../../tools/repo-files.ts";
import { buildEchoImage } from "./echo-image.ts";

const PLACE = join(repoRoot, "build/cluster-images");
const ARCHIVES = { "twill.tar": buildImage, "echo.tar": buildEchoImage } as const;
/** Before the number of the process that builds there. */
const WORK = ".work-";
const SOURCES = /^(src|bpf\/gen|install\/image|test\/cluster\/kube)\/|^(package(-lock)?\.json|LICENSE.*)$/;
const BUILT = ["build/twill.node", "build/twill-cni"];

/** What of this machine goes in, by size and time: the C library, and busybox. */
function machineParts(): string[] {
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  return [busybox, ...libraries].map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`);
}

/** Of an earlier state of the checkout, or of a run that was killed. */
function isLeft(name: string): boolean {
  const pid = name.startsWith(WORK) ? name.slice(WORK.length).split("-")[0] : undefined;
  return pid === undefined || !existsSync(`/proc/${pid}`);
}

function contentKey(): string {
  const hash = createHash("sha256");
  for (const file of [...repoFiles().filter((f) => SOURCES.test(f)), ...BUILT])
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(repoRoot, file)))
      .update("\0");
  return hash.update(machineParts().join("\n")).digest("hex").slice(0, 32);
}

/** Paths of the archives: Twill, and the pods that answer. */
export function clusterImages(): readonly string[] {
  const place = join(PLACE, contentKey());
  const paths = Object.keys(ARCHIVES).map((name) => join(place, name));
  if (existsSync(place)) return paths;
  mkdirSync(PLACE, { recursive: true });
  const work = mkdtempSync(join(PLACE, `${WORK}${process.pid}-`));
  try {
    for (const [name, build] of Object.entries(ARCHIVES)) build(join(work, name));
    for (const name of readdirSync(PLACE).filter(isLeft)) rmSync(join(PLACE, name), { recursive: true, force: true });
    // Another run of this checkout may have been quicker.
    if (existsSync(place)) rmSync(work, { recursive: true, force: true });
    else renameSync(work, place);
    return paths;
  } catch (cause) {
    rmSync(work, { recursive: true, force: true });
    throw cause;
  }
}
