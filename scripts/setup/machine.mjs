// What kind of machine this is, and whether Twill can run on it.

import { readFileSync } from "node:fs";
import { release } from "node:os";
import { SetupError } from "./steps.mjs";

/** Debian 12's kernel: the oldest that the eBPF programs are written for. */
const oldestKernel = [6, 1];

/** `Debian GNU/Linux 12 (bookworm)`, or what the kernel calls itself. */
export function systemName() {
  try {
    const m = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync("/etc/os-release", "utf8"));
    return m?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

function kernelIsOlder(text, [major, minor]) {
  const m = /^(\d+)\.(\d+)/.exec(text);
  if (m === null) return false;
  return Number(m[1]) < major || (Number(m[1]) === major && Number(m[2]) < minor);
}

/** @throws SetupError when this machine cannot run Twill at all */
export function checkPlatform() {
  if (process.platform !== "linux")
    throw new SetupError(
      `Cannot run on "${process.platform}": Twill is the Linux kernel's networking`,
      "Use Linux: a virtual machine with Debian 12 or newer, x86_64 or arm64, will do.",
    );
  if (process.arch !== "x64" && process.arch !== "arm64")
    throw new SetupError(
      `Cannot run on "${process.arch}": the pinned Node.js comes for x64 and arm64`,
      "Use a 64-bit x86 or ARM machine.",
    );
}

/** @throws SetupError when a verb that changes namespaces and loads eBPF cannot do so */
export function checkPowers(verb) {
  if (process.getuid() !== 0)
    throw new SetupError(
      `Cannot run "${verb}" as uid ${process.getuid()}: it makes network namespaces and loads eBPF programs`,
      `Run it as root: sudo npm run ${verb}`,
    );
  if (kernelIsOlder(release(), oldestKernel))
    throw new SetupError(
      `Cannot run "${verb}" on kernel ${release()}: ${oldestKernel.join(".")} or newer is wanted`,
      "Boot a newer kernel. Debian 12 has 6.1; its backports have newer ones.",
    );
  const filesystems = readFileSync("/proc/filesystems", "utf8");
  if (!/\bbpf$/m.test(filesystems))
    throw new SetupError(
      `Cannot run "${verb}": this kernel has no bpf file system (CONFIG_BPF_SYSCALL)`,
      "Boot a distribution's kernel.",
    );
}
