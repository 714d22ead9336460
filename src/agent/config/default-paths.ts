/** Where things are unless the configuration says otherwise: also for commands that need no configuration. */

/** See the schema's `paths`. */
export const DEFAULT_PATHS = {
  run: "/run/twill",
  bpffs: "/sys/fs/bpf",
  pins: "/sys/fs/bpf/twill",
  cniConfDir: "/etc/cni/net.d",
  cniBinDir: "/opt/cni/bin",
} as const;

/** `ipam.coolDownSeconds` unless the configuration says otherwise. */
export const DEFAULT_COOL_DOWN_SECONDS = 30;

/** The configuration that is read when no other is named. */
export const DEFAULT_CONFIG_FILE = "/etc/twill/config.yaml";

/** Files and sockets below the run directory. */
export const RUN_FILES = {
  /** Control of the agent: HTTP, root only. */
  control: "control.sock",
  /** Where the CNI plugin finds the agent. */
  cni: "agent.sock",
  ledger: "ledger.db",
  /** The nodes as last seen. */
  nodes: "nodes.json",
} as const;
