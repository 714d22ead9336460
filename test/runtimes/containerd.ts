/** containerd as Debian packages it, with root, state, socket and configuration of its own, inside a node's box. */

import { closeSync, openSync, readFileSync } from "node:fs";
import { type Box, runIn, spawnIn } from "../../src/lab/box.ts";
import { CommandError } from "../../src/lab/run.ts";
import { removeCgroups } from "../fixture/cgroups.ts";
import { ownVarLib, writeIn } from "../fixture/files.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { CriClient } from "./cri.ts";
import { pauseImage } from "./pause-image.ts";

const DIRECTORY = "/run/containerd-test";
const SOCKET = `${DIRECTORY}/containerd.sock`;
const LOG = `${DIRECTORY}/log`;
const PAUSE = "twill.dev/pause:test";

/** Under which name sandboxes' control groups are made and swept. */
export const CGROUP_PREFIX = "twill-runtime-test";

/** A running containerd; ends with its box. */
export interface Containerd {
  readonly client: CriClient;
  /** What it logged so far. */
  log(): string;
  /** Stops and removes every sandbox, as a node does that is drained. */
  removeAll(): Promise<void>;
}

/**
 * Starts it and waits until it answers. It reads networks from `/etc/cni/net.d` of the box, where one need not be yet.
 * @param pluginDirectory as seen in the box
 */
export async function startContainerd(box: Box, pluginDirectory = "/opt/cni/bin"): Promise<Containerd> {
  removeCgroups(CGROUP_PREFIX);
  await ownVarLib(box);
  writeIn(box, `${DIRECTORY}/config.toml`, configuration(pluginDirectory));
  writeIn(box, `${DIRECTORY}/pause.tar`, pauseImage(PAUSE, process.arch));
  const log = openSync(box.root + LOG, "w");
  spawnIn(box, ["containerd", "--config", `${DIRECTORY}/config.toml`], { stdio: ["ignore", log, log] });
  closeSync(log);
  const readLog = (): string => readFileSync(box.root + LOG, "utf8");
  const ctr = (...args: string[]): string[] => ["ctr", "--address", SOCKET, "--namespace", "k8s.io", ...args];
  try {
    await waitFor("containerd's socket", async () => (await runIn(box, ctr("version"))).code === 0, 120_000);
  } catch (cause) {
    throw new Error(`Cannot start containerd: ${readLog().slice(-3000)}`, { cause });
  }
  const argv = ctr("images", "import", `${DIRECTORY}/pause.tar`);
  const imported = await runIn(box, argv);
  if (imported.code !== 0) throw new CommandError(argv, imported);
  const client = new CriClient(box.root + SOCKET);
  return {
    client,
    log: readLog,
    async removeAll() {
      for (const id of await client.sandboxes()) {
        await client.stopSandbox(id);
        await client.removeSandbox(id);
      }
    },
  };
}

function configuration(pluginDirectory: string): string {
  const unused = ["aufs", "btrfs", "devmapper", "zfs"].map((name) => `"io.containerd.snapshotter.v1.${name}"`);
  return `version = 2
root = "${DIRECTORY}/root"
state = "${DIRECTORY}/state"
disabled_plugins = [${unused.join(", ")}]
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${DIRECTORY}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${pluginDirectory}"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
}
