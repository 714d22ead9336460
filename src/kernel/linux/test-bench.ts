/**
 * Benches for tests on the real kernel. The test's process leaves its network and mount namespaces once, for its whole
 * life: whatever it makes is invisible to the rest of the machine and gone with the process, however that ends.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Kernel } from "../kernel.ts";
import type { KernelBench } from "../suite/bench.ts";
import { loadAddon } from "./addon.ts";
import type { AttachBy } from "./attachment-store.ts";
import { currentTag, mountBpffs, programDirectory } from "./bpffs.ts";
import { createLinuxKernel } from "./linux-kernel.ts";
import { sweepTemporary } from "./sweep-temporary.ts";
import { makeTestGroup, removeTestGroup } from "./test-groups.ts";

const CLONE_NEWNS = 0x20000;
const CLONE_NEWNET = 0x40000000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
const MS_BIND = 0x1000;
const MNT_DETACH = 2;
const OBJECT = new URL("../../../bpf/gen/hollow.o", import.meta.url);
const REAL_OBJECT = new URL("../../../bpf/gen/twill.o", import.meta.url);

const PREFIX = "twill-kernel-";

let scratch: string | undefined;
let count = 0;

/** Why tests on the real kernel cannot run here; false when they can. */
export function whyNoKernel(): string | false {
  if (process.getuid?.() !== 0) return "needs root: network namespaces and BPF";
  try {
    enter();
    return false;
  } catch (error) {
    return `needs the addon, namespaces and a bpffs: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Leaves the machine's namespaces; returns the directory that holds everything the tests make. */
function enter(): string {
  if (scratch !== undefined) return scratch;
  const addon = loadAddon();
  // Of runs that were killed: their mounts went with their processes.
  sweepTemporary(new RegExp(`^${PREFIX}([0-9]+)-`));
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  addon.unshare(CLONE_NEWNET | CLONE_NEWNS);
  addon.mount("none", "/", "", MS_REC | MS_PRIVATE, "");
  mkdirSync(join(directory, "bpf"));
  mkdirSync(join(directory, "netns"));
  mountBpffs(join(directory, "bpf"));
  process.on("exit", () => {
    addon.umount(join(directory, "bpf"), MNT_DETACH);
    rmSync(directory, { recursive: true, force: true });
  });
  scratch = directory;
  return directory;
}

/** Makes a network namespace with a path, and leaves the thread where it was. */
export function makeNetns(): string {
  const addon = loadAddon();
  const home = addon.openNetns("/proc/thread-self/ns/net");
  const path = join(enter(), "netns", `ns${count++}`);
  writeFileSync(path, "");
  try {
    addon.unshare(CLONE_NEWNET);
    addon.mount("/proc/thread-self/ns/net", path, "", MS_BIND, "");
  } finally {
    addon.setns(home, CLONE_NEWNET);
    addon.close(home);
  }
  return path;
}

/** Ends what {@link makeNetns} made. */
export function removeNetns(path: string): void {
  loadAddon().umount(path, MNT_DETACH);
  rmSync(path);
}

/** Two objects that differ in nothing but bytes behind the ELF file, which make another version of it. */
export function testObjects(): readonly [Uint8Array, Uint8Array] {
  const object = readFileSync(OBJECT);
  return [object, Buffer.concat([object, Buffer.from("another version")])];
}

/** Runs the program that is pinned as the current one; the frame is long enough for an Ethernet header. */
function runFromPod(pinDirectory: string, packets: number): void {
  const addon = loadAddon();
  const tag = currentTag(pinDirectory);
  const fd = tag === undefined ? undefined : addon.objGet(join(programDirectory(pinDirectory, tag), "from_pod"));
  if (fd === undefined) throw new Error(`Cannot run from_pod: none is pinned below "${pinDirectory}"`);
  try {
    addon.testRun(undefined, fd, new Uint8Array(60), undefined, packets);
  } finally {
    addon.close(fd);
  }
}

/** A node in a namespace of its own, at the path `node`. */
export function openLinux(attachBy: AttachBy | "auto"): KernelBench & { readonly node: string } {
  const node = makeNetns();
  const pinDirectory = join(enter(), "bpf", `twill${count++}`);
  const kernels: Kernel[] = [];
  const made: string[] = [node];
  const groups: string[] = [];
  const open = () => {
    const kernel = createLinuxKernel({ netns: node, pinDirectory, attachBy });
    kernels.push(kernel);
    return kernel;
  };
  return {
    kernel: open(),
    node,
    pinDirectory,
    objects: testObjects(),
    realObject: readFileSync(REAL_OBJECT),
    runFromPod: (packets) => runFromPod(pinDirectory, packets),
    reopen: open,
    addNetns() {
      const path = makeNetns();
      made.push(path);
      return path;
    },
    aliasNetns(path) {
      const alias = join(enter(), "netns", `alias${count++}`);
      writeFileSync(alias, "");
      loadAddon().mount(path, alias, "", MS_BIND, "");
      made.push(alias);
      return alias;
    },
    removeNetns(path) {
      made.splice(made.indexOf(path), 1);
      removeNetns(path);
    },
    addGroup(path) {
      if (path !== undefined) mkdirSync(path, { recursive: true });
      const made = path ?? makeTestGroup();
      if (made !== undefined) groups.push(made);
      return made;
    },
    removeGroup: removeTestGroup,
    [Symbol.dispose]() {
      for (const path of groups) removeTestGroup(path);
      for (const kernel of kernels) kernel[Symbol.dispose]();
      for (const path of made) removeNetns(path);
      rmSync(pinDirectory, { recursive: true, force: true });
    },
  };
}
