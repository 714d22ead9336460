/** podman 4 with its CNI backend, with storage and configuration of its own, inside a node's box. */

import { existsSync } from "node:fs";
import { type Box, runIn } from "../../src/lab/box.ts";
import { CommandError } from "../../src/lab/run.ts";
import { ownVarLib, writeIn } from "../fixture/files.ts";
import { pauseProgram, tar } from "./pause-image.ts";

const DIRECTORY = "/run/podman-test";
const IMAGE = "twill.dev/pause:test";

/** Runs podman in one box. */
export interface Podman {
  /** @returns standard output @throws CommandError with podman's words */
  call(...args: string[]): Promise<string>;
  /** Starts a container that waits, on a network. @returns its id */
  runPause(name: string, network: string): Promise<string>;
  /** What `podman inspect` tells of a container. */
  inspect(name: string): Promise<PodmanContainer>;
}

/** The parts of `podman inspect` that tests look at. */
export interface PodmanContainer {
  readonly State: { readonly Pid: number; readonly Status: string };
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string; readonly MacAddress: string }>
    >;
  };
}

/**
 * Writes its configuration and imports an image that only waits.
 * @param cgroupParent below which containers' control groups are made
 */
export async function openPodman(box: Box, cgroupParent: string): Promise<Podman> {
  await ownVarLib(box);
  writeIn(box, `${DIRECTORY}/containers.conf`, CONTAINERS_CONF);
  writeIn(box, `${DIRECTORY}/storage.conf`, STORAGE_CONF);
  writeIn(box, `${DIRECTORY}/tmp/root.tar`, tar(new Map([["pause", pauseProgram(process.arch)]])));
  const env = {
    PATH: process.env["PATH"],
    CONTAINERS_CONF: `${DIRECTORY}/containers.conf`,
    CONTAINERS_STORAGE_CONF: `${DIRECTORY}/storage.conf`,
    TMPDIR: `${DIRECTORY}/tmp`,
    HOME: `${DIRECTORY}/tmp`,
  };
  const call = async (...args: string[]): Promise<string> => {
    const argv = ["podman", ...args];
    const output = await runIn(box, argv, { env });
    if (output.code !== 0) throw new CommandError(argv, output);
    return output.stdout.trim();
  };
  await call("import", "-q", "--change", 'ENTRYPOINT ["/pause"]', `${DIRECTORY}/tmp/root.tar`, IMAGE);
  return {
    call,
    // Debian's runc may not raise limits above what the caller has.
    runPause: (name, network) =>
      call(
        ...["run", "-d", "--name", name, "--network", network, "--cgroup-parent", cgroupParent],
        ...["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", IMAGE],
      ),
    async inspect(name) {
      const [container] = JSON.parse(await call("inspect", name)) as PodmanContainer[];
      if (container === undefined) throw new Error(`Cannot inspect "${name}": podman tells nothing`);
      return container;
    },
  };
}

/** Why podman cannot be judged on this machine; undefined when it can. */
export function podmanMissing(): string | undefined {
  const missing = ["podman", "conmon", "runc"].filter(
    (program) =>
      !["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].some((d) => existsSync(`${d}/${program}`)),
  );
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

const CONTAINERS_CONF = `[network]
network_backend = "cni"
network_config_dir = "/etc/cni/net.d"
cni_plugin_dirs = ["/opt/cni/bin"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "${DIRECTORY}/libpod"
[containers]
log_driver = "k8s-file"
`;

const STORAGE_CONF = `[storage]
driver = "vfs"
graphroot = "${DIRECTORY}/graph"
runroot = "${DIRECTORY}/runroot"
`;
