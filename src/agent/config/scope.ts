/** Where each key of the configuration may be set, and when a change takes effect. Data; a test goes through all keys. */

/**
 * Who may say it: `file` is what the agent needs to find the cluster, or what belongs to this machine; `cluster` must be the
 * same on all nodes; `node` may be different on each.
 */
export type Where = "file" | "cluster" | "node";

/** Keys, or sections of keys, that are only read from the file and the command line. */
const FILE_ONLY = ["nodeName", "cluster", "kubeconfig", "kubernetes", "paths"];

/** Keys on which nodes that disagree would not reach each other, would give the same addresses twice, or find one flow two backends. */
const SAME_EVERYWHERE = [
  "clusterCIDRs",
  "allocateNodeCIDRs",
  "nodeMaskSize",
  "tunnel.mode",
  "tunnel.port",
  "tunnel.vni",
  "services.algorithm",
  "services.maglevTableSize",
];

/** Keys that take effect at once. All others are read when an agent starts. */
const LIVE = [
  "clusterCIDRs",
  "allocateNodeCIDRs",
  "nodeMaskSize",
  "tunnel",
  "mtu",
  "devices",
  "nodeAddress",
  "startupTaint",
  "masquerade",
  "ipam.reserved",
  "policy.mode",
  "policy.reject",
  "policy.failsafe",
  "policy.startTimeoutSeconds",
  "services",
  "log",
  "resyncSeconds",
];

function isIn(list: readonly string[], path: string): boolean {
  return list.some((p) => path === p || path.startsWith(`${p}.`));
}

/** Who may set the key at a path `a.b`. */
export function whereOf(path: string): Where {
  if (isIn(FILE_ONLY, path)) return "file";
  return isIn(SAME_EVERYWHERE, path) ? "cluster" : "node";
}

/** Whether a change of the key takes effect without a restart of the agent. */
export function isLive(path: string): boolean {
  return isIn(LIVE, path) && whereOf(path) !== "file";
}

/** All keys and sections that the lists name: a test holds them against the schema. */
export const NAMED_KEYS: readonly string[] = [...new Set([...FILE_ONLY, ...SAME_EVERYWHERE, ...LIVE])];
