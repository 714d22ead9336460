import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import type { Installed, InstallOptions } from "./cni/install.ts";
import { parseConfig } from "./config/config.ts";
import { Installation } from "./installation.ts";
import type { Log } from "./log.ts";

class Fixture implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "twill-installation-"));
  readonly bin = join(this.directory, "bin");
  readonly conf = join(this.directory, "net.d");
  readonly lines: string[] = [];
  installs = 0;
  nowMs = 0;
  failure: Error | undefined;
  shadowedBy: readonly string[] = [];
  readonly installation: Installation;

  constructor(install = true) {
    mkdirSync(this.bin);
    mkdirSync(this.conf);
    const text = JSON.stringify({ paths: { cniBinDir: this.bin, cniConfDir: this.conf }, cni: { install } });
    const config = unwrap(parseConfig(text, { set: new Map(), defaultNodeName: "n" }));
    const note = (_fields: object, msg: string) => void this.lines.push(msg);
    this.installation = new Installation({
      config,
      log: { info: note, warn: note, error: note } as unknown as Log,
      nowMs: () => this.nowMs,
      ledger: { endpoints: () => [] },
      install: (options) => this.#install(options),
    });
  }

  async #install(options: InstallOptions): Promise<Installed> {
    this.installs++;
    if (this.failure !== undefined) throw this.failure;
    const conflist = join(options.confDirectory, "10-twill.conflist");
    writeFileSync(join(options.binDirectory, "twill"), "");
    writeFileSync(conflist, "");
    return { conflist, chained: [], written: [conflist], shadowedBy: this.shadowedBy };
  }

  /** What follows a run of the agent, and the end of what that began. */
  async run(): Promise<void> {
    this.installation.keep();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

test("it is installed once, renewed now and then, and put back when somebody removes it", async () => {
  using f = new Fixture();
  for (let i = 0; i < 3; i++) await f.run();
  assert.equal(f.installs, 1);
  rmSync(join(f.conf, "10-twill.conflist"));
  await f.run();
  assert.equal(f.installs, 2);
  f.nowMs += 600_000;
  await f.run();
  await f.run();
  assert.equal(f.installs, 3);
});

test("a failure is an issue, and tried again after a pause", async () => {
  using f = new Fixture();
  f.failure = new Error("EROFS: read-only file system");
  await f.run();
  await f.run();
  assert.equal(f.installs, 1);
  assert.deepEqual(f.installation.issues(), [
    { path: "cni", message: "The network is not installed: EROFS: read-only file system" },
  ]);
  f.failure = undefined;
  f.nowMs += 5_000;
  await f.run();
  assert.deepEqual(f.installation.issues(), []);
});

test("a network that comes first is an issue for as long as it is there, told once", async () => {
  using f = new Fixture();
  f.shadowedBy = ["05-other.conflist"];
  await f.run();
  assert.match(f.installation.issues()[0]?.message ?? "", /The runtime uses "05-other\.conflist" of .* instead/);
  f.nowMs += 600_000;
  await f.run();
  assert.equal(f.lines.filter((l) => l === "other networks come first").length, 1);
  f.shadowedBy = [];
  f.nowMs += 600_000;
  await f.run();
  assert.deepEqual(f.installation.issues(), []);
});

test("who installs it by other means is left alone", async () => {
  using f = new Fixture(false);
  await f.run();
  assert.equal(f.installs, 0);
});
