// Which Debian packages Twill's commands use, why, for which of them, and how to see that they are there already.
//
// A probe is a program looked up on PATH, or a file (the first that exists counts). What is there from elsewhere (a
// vendor's containerd, a newer kubectl) is used as it is: nothing is replaced and nothing is upgraded.

/** Library folder of this machine, as Debian names it. */
export const libDir = process.arch === "arm64" ? "/usr/lib/aarch64-linux-gnu" : "/usr/lib/x86_64-linux-gnu";

const everything = ["lab", "test", "bench", "ok", "build"];
const running = ["lab", "test", "bench"];

/**
 * @typedef {object} Package
 * @property {string} name of the Debian package
 * @property {string} why in words for the person who watches
 * @property {readonly string[]} verbs that need it
 * @property {readonly string[]} probe absolute files or program names; one of them found means installed
 */

/** @type {readonly Package[]} */
export const packages = [
  {
    name: "libatomic1",
    why: "the pinned Node.js links to it",
    verbs: everything,
    probe: [`${libDir}/libatomic.so.1`],
  },
  { name: "libstdc++6", why: "the pinned Node.js links to it", verbs: everything, probe: [`${libDir}/libstdc++.so.6`] },
  { name: "gcc", why: "compiles the native addon and the CNI shim", verbs: [...running, "build"], probe: ["gcc"] },
  {
    name: "libc6-dev",
    why: "headers and the static C library for the CNI shim",
    verbs: [...running, "build"],
    probe: [`${libDir}/libc.a`],
  },
  {
    name: "linux-libc-dev",
    why: "kernel headers for the addon",
    verbs: [...running, "build"],
    probe: ["/usr/include/linux/bpf.h"],
  },
  {
    name: "libbpf-dev",
    why: "loads eBPF objects for the addon",
    verbs: [...running, "build"],
    probe: ["/usr/include/bpf/libbpf.h"],
  },
];

/** The packages of one verb that no probe finds. */
export function missingPackages(verb, isThere) {
  return packages.filter((p) => p.verbs.includes(verb) && !p.probe.some(isThere));
}
