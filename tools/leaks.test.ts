import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { newThings, type Photograph, photograph, runMark, survivors } from "./leaks.ts";

const photo = (kinds: Record<string, string[]>): Photograph =>
  new Map(Object.entries(kinds).map(([kind, names]) => [kind, new Set(names)]));

describe("newThings()", () => {
  it("names what is in the second photograph only, with its kind", () => {
    const before = photo({ mount: ["/a"], file: ["/tmp/twill-x"] });
    const after = photo({ mount: ["/a", "/b"], file: [], link: ["twl0"] });
    assert.deepEqual(newThings(before, after), ["mount: /b", "link: twl0"]);
  });
});

it("newThings() does not repeat what lies below a new thing", () => {
  const after = photo({ file: ["/run/twill-lab", "/run/twill-lab/a", "/run/twill-lab/a/state.json", "/run/twill/x"] });
  assert.deepEqual(newThings(photo({ file: ["/run/twill"] }), after), ["file: /run/twill-lab", "file: /run/twill/x"]);
});

describe("photograph()", () => {
  it("sees a file that a test left below the temporary folder", () => {
    const before = photograph();
    const left = mkdtempSync(join(tmpdir(), "twill-leak-"));
    try {
      assert.deepEqual(
        newThings(before, photograph()).filter((l) => l.includes("twill-leak-")),
        [`temporary file: ${left}`],
      );
    } finally {
      rmSync(left, { recursive: true });
    }
  });

  it("sees the machine's loopback device, so it does look at links", () => {
    assert.ok(photograph().get("network link")?.has("lo"));
  });
});

describe("survivors()", () => {
  it("finds a process by the mark that it inherited, and not once it has ended", async () => {
    const mark = `leak-test-${process.pid}`;
    const child = spawn("cat", {
      env: { PATH: process.env["PATH"], [runMark]: mark },
      stdio: ["pipe", "pipe", "ignore"],
    });
    // It answers once it has become "cat": before that its environment is still ours.
    child.stdin.write("up\n");
    await once(child.stdout, "data");
    assert.deepEqual(survivors(mark), [`process ${child.pid}: cat`]);
    child.stdin.end();
    await once(child, "close");
    assert.deepEqual(survivors(mark), []);
  });
});
