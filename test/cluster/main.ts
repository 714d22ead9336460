/** `npm run test:cluster`: builds Kubernetes' programs and fetches Helm where there are none, then runs the gate's suite that needs them. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { repoRoot } from "../../tools/repo-files.ts";
import { ensureHelm } from "./kube/helm.ts";
import { ensurePrograms } from "./kube/programs.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
ensurePrograms(say);
ensureHelm(say);
const only = process.argv.slice(2);
const args = [join(repoRoot, "tools/test.ts"), "--only", ...(only.length > 0 ? only : ["cluster"])];
const { status } = spawnSync(process.execPath, args, { stdio: "inherit", cwd: repoRoot });
process.exitCode = status ?? 1;
