/**
 * Twill on a node's own disk, beside the agent in its container: what the CNI plugin starts when no agent is there, and
 * what an operator removes Twill with. The copy has the paths that it has in the image.
 *
 * Below the node's root:
 *
 *     opt/twill -> twill-BUILD     replaced by rename: who looks finds an old or a new whole copy
 *     opt/twill-BUILD/             `build-id` is written last
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** Where Twill is in its image and, once installed from it, on a node. */
export const IMAGE_HOME = "/opt/twill";

/** Made when the image is: names the content. */
export const BUILD_ID_FILE = "build-id";

/** What {@link copyHome} did. */
export interface HostCopy {
  /** The folder of the copy. */
  readonly directory: string;
  /** False: it was there already. */
  readonly isNew: boolean;
  /** Folders of earlier versions that were removed. */
  readonly removed: readonly string[];
}

/** Folders of copies beside the link, this build's and others'. */
function copiesOf(link: string): readonly string[] {
  const prefix = `${basename(link)}-`;
  if (!existsSync(dirname(link))) return [];
  return readdirSync(dirname(link), { withFileTypes: true })
    .filter((e) => e.isDirectory() && e.name.startsWith(prefix))
    .map((e) => join(dirname(link), e.name));
}

function currentOf(link: string): string | undefined {
  try {
    return join(dirname(link), readlinkSync(link));
  } catch {
    return undefined;
  }
}

/**
 * Copies Twill to a node, unless this build is there. The version before stays until the next: a plugin call may be
 * running from it.
 * @param home where Twill is: `/opt/twill` in its image
 * @param hostRoot where the node's root is mounted
 * @throws Error when there is no build id, or the disk takes no more
 */
export function copyHome(home: string, hostRoot: string): HostCopy {
  const idFile = join(home, BUILD_ID_FILE);
  if (!existsSync(idFile))
    throw new Error(`Cannot copy "${home}" to the node: it has no ${BUILD_ID_FILE}, so it is not from Twill's image`);
  const id = readFileSync(idFile, "utf8").trim();
  const link = join(hostRoot, home);
  const directory = `${link}-${id.slice(0, 12)}`;
  const before = currentOf(link);
  const isNew = !existsSync(join(directory, BUILD_ID_FILE));
  if (isNew) {
    mkdirSync(dirname(link), { recursive: true });
    rmSync(directory, { recursive: true, force: true });
    cpSync(home, directory, { recursive: true, filter: (source) => source !== idFile, verbatimSymlinks: true });
    cpSync(idFile, join(directory, BUILD_ID_FILE));
  }
  if (before !== directory) {
    const next = `${link}.next`;
    rmSync(next, { force: true });
    symlinkSync(basename(directory), next);
    renameSync(next, link);
  }
  const removed = copiesOf(link).filter((copy) => copy !== directory && copy !== before);
  for (const copy of removed) rmSync(copy, { recursive: true, force: true });
  return { directory, isNew, removed };
}

/** What {@link copyHome} leaves on a node, to be removed with Twill: the link first. */
export function hostCopies(home: string, hostRoot: string): readonly string[] {
  const link = join(hostRoot, home);
  return currentOf(link) === undefined ? copiesOf(link) : [link, ...copiesOf(link)];
}
