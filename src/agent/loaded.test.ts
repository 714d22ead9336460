import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const MODULES = ["agent.ts", "config/learn-config.ts", "leader/start.ts", "leader/wanted-status.ts"];

test("an agent loads nothing of Node that it does not use", () => {
  const imports = MODULES.map((m) => `await import(${JSON.stringify(new URL(m, import.meta.url).href)});`).join("\n");
  const script = `${imports}\nprocess.stdout.write(process.moduleLoadList.join("\\n"));`;
  const loaded = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.match(loaded, /^NativeModule https$/m);
  // Of Node 26 each of these is a megabyte and more.
  assert.doesNotMatch(loaded, /undici|NativeModule (http2|repl|inspector|zlib|stream\/web)$/m);
});
