/** Writes `install/twill.yaml` and `install/chart`: `node install/generate.ts`. A test checks that they are current. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderInstall } from "./render.ts";

for (const [path, text] of renderInstall()) {
  const file = join(import.meta.dirname, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
