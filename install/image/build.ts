/** Builds Twill's container image: `node install/image/build.ts [--out FILE] [--tag NAME]`. */

import { parseArgs } from "node:util";
import { VERSION } from "../../src/base/version.ts";
import { type BuiltImage, packImage } from "./pack.ts";
import { HOME, withImageRoot } from "./root.ts";

/** The name that `install/twill.yaml` asks for. */
export const IMAGE_TAG = `twill.dev/twill:${VERSION}`;

const LABELS = {
  "org.opencontainers.image.title": "twill",
  "org.opencontainers.image.description": "Pod networking for Kubernetes",
  "org.opencontainers.image.version": VERSION,
  "org.opencontainers.image.licenses": "Apache-2.0 AND (BSD-2-Clause OR GPL-2.0-only)",
};

/**
 * The same checkout on the same Debian gives the same image.
 * @param archive file to write, whole or not at all
 * @throws Error when a tool is missing or fails, or when the native parts are not built
 */
export function buildImage(archive: string, tag: string = IMAGE_TAG): BuiltImage {
  const entrypoint = [`${HOME}/bin/twill`];
  return withImageRoot(archive, (root) =>
    packImage({ root, tag, entrypoint, labels: LABELS, path: "/usr/local/bin" }, archive),
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { out: { type: "string", default: "build/twill-image.tar" }, tag: { type: "string", default: IMAGE_TAG } },
  });
  const built = buildImage(values.out, values.tag);
  process.stdout.write(`${built.archive}\n${built.tag}\n${built.id}\n`);
}
