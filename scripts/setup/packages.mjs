// Which Debian packages Twill's commands use, why, for which of them, and how to see that they are there already.
//
// A probe is a program looked up on PATH, or a file (the first that exists counts). What is there from elsewhere (a
// vendor's containerd, a newer kubectl) is used as it is: nothing is replaced and nothing is upgraded.

/** Library folder of this machine, as Debian names it. */
const libDir = process.arch === "arm64" ? "/usr/lib/aarch64-linux-gnu" : "/usr/lib/x86_64-linux-gnu";

const everything = ["lab", "test", "test:cluster", "bench", "ok", "build"];
const building = ["lab", "test", "test:cluster", "bench", "build"];
const running = ["lab", "test", "test:cluster", "bench"];
const measuring = ["test", "test:cluster", "bench"];
const testing = ["test", "test:cluster"];
const inCluster = ["test:cluster"];

/**
 * @typedef {object} Package
 * @property {string} name of the Debian package
 * @property {string} why in words for the person who watches
 * @property {readonly string[]} verbs that need it
 * @property {readonly string[]} probe absolute files or program names; one of them found means installed
 */

/** @type {(name: string, why: string, verbs: readonly string[], ...probe: string[]) => Package} */
const pkg = (name, why, verbs, ...probe) => ({ name, why, verbs, probe });

/** @type {readonly Package[]} */
export const packages = [
  pkg("libatomic1", "the pinned Node.js links to it", everything, `${libDir}/libatomic.so.1`),
  pkg("libstdc++6", "the pinned Node.js links to it", everything, `${libDir}/libstdc++.so.6`),
  pkg("gcc", "compiles the native addon and the CNI shim", building, "gcc"),
  pkg("libc6-dev", "C library's headers, and its static form for the CNI shim", building, `${libDir}/libc.a`),
  pkg("musl-tools", "a C library whose static programs start fast, for the CNI shim", building, "musl-gcc"),
  pkg("linux-libc-dev", "the kernel's headers for the addon", building, "/usr/include/linux/bpf.h"),
  pkg("libbpf-dev", "loads eBPF objects for the addon", building, "/usr/include/bpf/libbpf.h"),
  pkg("iproute2", "ip and bridge: wires the lab's underlay", running, "ip"),
  pkg("procps", "sysctl, for the peers' networks", measuring, "sysctl"),
  pkg(
    "containernetworking-plugins",
    "Debian's CNI plugins: chained, and measured against",
    measuring,
    "/usr/lib/cni/bridge",
  ),
  pkg("iptables", "what the portmap plugin writes to", measuring, "iptables"),
  pkg("nftables", "a node's own firewall, and one to measure against", measuring, "nft"),
  pkg("ipset", "sets of iptables, to measure against", measuring, "ipset"),
  pkg("iperf3", "bulk traffic for tests and benchmarks", measuring, "iperf3"),
  pkg("iputils-ping", "a pod's ordinary ping", testing, "ping"),
  pkg("curl", "asks the agent's sockets as an operator would", testing, "curl"),
  pkg("bpftool", "reads and breaks the agent's maps from outside", testing, "bpftool"),
  pkg("sockperf", "round trips for benchmarks", measuring, "sockperf"),
  pkg("clang-14", "proves that the checked-in eBPF objects are current", testing, "clang-14"),
  pkg("llvm-14", "strips the eBPF objects as the checked-in ones are", testing, "llvm-strip-14"),
  pkg("containerd", "a real runtime that drives the CNI plugin", testing, "containerd"),
  pkg("runc", "starts containerd's and podman's containers", testing, "runc"),
  pkg("podman", "a host without Kubernetes that uses Twill", testing, "podman"),
  // A kubectl that is there, of whatever version, is the one that gets tested against.
  pkg("kubernetes-client", "kubectl, the judge of the lab's API", testing, "kubectl"),
  pkg("etcd-server", "keeps the real cluster's objects", inCluster, "etcd"),
  pkg("buildah", "packs Twill's container image", inCluster, "buildah"),
  pkg("patchelf", "makes the image's programs find their own libraries", inCluster, "patchelf"),
  pkg("busybox-static", "what pods of the real cluster run on exec", inCluster, "/bin/busybox"),
  pkg("golang-go", "compiles Kubernetes, once", inCluster, "go"),
  pkg("make", "compiles Kubernetes, once", inCluster, "make"),
  pkg("rsync", "compiles Kubernetes, once", inCluster, "rsync"),
];

/** The packages of these verbs that no probe finds. */
export function missingPackages(verbs, isThere) {
  return packages.filter((p) => p.verbs.some((v) => verbs.includes(v)) && !p.probe.some(isThere));
}
