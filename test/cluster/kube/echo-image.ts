/** The image of the test cluster's pods: answers on ports as the lab's pods do, and has busybox for `kubectl exec`. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuiltImage, packImage } from "../../../install/image/pack.ts";
import { HOME, withImageRoot } from "../../../install/image/root.ts";
import { repoRoot } from "../../../tools/repo-files.ts";

/** Its name. */
export const ECHO_IMAGE = "twill.dev/echo:test";

/** What of the lab the echo server imports, and a DNS for those who want one. */
const PROGRAM = [
  "src/lab/echo.ts",
  "src/lab/probe/serve.ts",
  "src/lab/probe/protocol.ts",
  "test/cluster/kube/cluster-dns.ts",
];

/** Builds it. Needs a static busybox on PATH. */
export function buildEchoImage(archive: string): BuiltImage {
  return withImageRoot(archive, (root) => {
    for (const file of PROGRAM) {
      mkdirSync(dirname(join(root, HOME, file)), { recursive: true });
      cpSync(join(repoRoot, file), join(root, HOME, file));
    }
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    mkdirSync(join(root, "bin"));
    cpSync(busybox, join(root, "bin/busybox"));
    for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n"))
      if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
    const entrypoint = [`${HOME}/bin/node`, `${HOME}/src/lab/echo.ts`];
    return packImage({ root, tag: ECHO_IMAGE, entrypoint, path: "/usr/local/bin:/bin" }, archive);
  });
}
