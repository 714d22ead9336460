import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { homeFile, homeProgram } from "./home.ts";

test("files are found where the checkout has them", () => {
  assert.ok(existsSync(homeFile("bpf/gen/twill.o")));
  assert.ok(existsSync(homeProgram("agent/cni/offline-main")));
});
