/** Packs a folder as a container image: buildah without daemon, base image or network. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** What to pack. */
export interface ImageSpec {
  /** The image's file system. */
  readonly root: string;
  readonly tag: string;
  readonly entrypoint: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Search path of the image's programs. */
  readonly path: string;
}

/** What a build made. */
export interface BuiltImage {
  readonly archive: string;
  readonly tag: string;
  /** Of the image's configuration, which names its content: 64 hexadecimal digits. */
  readonly id: string;
}

function imageId(archive: string): string {
  const text = execFileSync("tar", ["-xOf", archive, "manifest.json"], { encoding: "utf8" });
  const [image] = JSON.parse(text) as readonly [{ readonly Config: string }];
  return image.Config.replace(/\.json$/, "");
}

/**
 * Writes an archive for `ctr images import` or `docker load`, whole or not at all. Every time is the epoch's first second:
 * the same folder gives the same image.
 * @throws Error when buildah is missing or fails
 */
export function packImage(spec: ImageSpec, archive: string): BuiltImage {
  const target = resolve(archive);
  // Beside the archive: the rename at the end must not cross file systems.
  const work = mkdtempSync(join(dirname(target), ".twill-image-"));
  const storage = ["--root", join(work, "storage"), "--runroot", join(work, "run"), "--storage-driver", "vfs"];
  const buildah = (...args: string[]) =>
    execFileSync("buildah", [...storage, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: work, TMPDIR: tmpdir() },
    }).trim();
  try {
    const container = buildah("from", "scratch");
    buildah("copy", "--quiet", container, spec.root, "/");
    const labels = Object.entries(spec.labels ?? {}).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
    const entry = ["--entrypoint", JSON.stringify(spec.entrypoint), "--cmd", "", "--workingdir", "/"];
    buildah("config", ...labels, "--env", `PATH=${spec.path}`, ...entry, container);
    const partial = join(work, "archive");
    // Docker's form of an archive: it names the image, and every tool reads it.
    const commit = ["commit", "--quiet", "--timestamp", "0", "--omit-history", "--format", "docker", "--rm"];
    buildah(...commit, container, `docker-archive:${partial}:${spec.tag}`);
    const id = imageId(partial);
    renameSync(partial, target);
    return { archive: target, tag: spec.tag, id };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
