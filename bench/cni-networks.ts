/** The networks whose plugins are raced: configuration as an operator would write it, and how libcni would hand it on. */

/** A network as a runtime reads it from a conflist. */
export interface Network {
  /** `twill` or the peer's name. */
  readonly subject: string;
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly Readonly<Record<string, unknown>>[];
}

/** One pod's interface. */
export interface Attachment {
  readonly containerId: string;
  readonly netns: string;
  readonly hostPort: number;
}

/** Where the plugins lie in the box. */
export const PLUGIN_DIRECTORY = "/opt/cni/bin";

/** The newest that Debian's plugins speak. */
const CNI_VERSION = "1.0.0";

const PORTMAP = { type: "portmap", capabilities: { portMappings: true } };

/**
 * The reference plugins with IPv4 only and their leases in memory (tmpfs): their fastest configuration, while Twill
 * attaches both families. Before portmap they attach both too, since portmap's work depends on it.
 */
export function peerNetworks(): Network[] {
  const options = { bridge: "cni0", isGateway: true, isDefaultGateway: true, hairpinMode: true };
  const bridge = { type: "bridge", ...options, ipam: hostLocal(["10.210.0.0/22"]) };
  const bridgeDual = { ...bridge, bridge: "cni1", ipam: hostLocal(["10.218.0.0/22", "fd00:218::/64"]) };
  // bridge makes its own default routes, ptp wants them from the address management.
  const v4 = { dst: "0.0.0.0/0" };
  const v6 = { dst: "::/0" };
  const ptp = { type: "ptp", mtu: 1450, ipam: { ...hostLocal(["10.214.0.0/22"]), routes: [v4] } };
  const ptpDual = { ...ptp, ipam: { ...hostLocal(["10.222.0.0/22", "fd00:222::/64"]), routes: [v4, v6] } };
  return [
    network("bridge+host-local", [bridge]),
    network("bridge+host-local+portmap", [bridgeDual, PORTMAP]),
    network("ptp+host-local", [ptp]),
    network("ptp+host-local+portmap", [ptpDual, PORTMAP]),
  ];
}

/** Twill's own network, without and with a host port for each pod. @param plugins of the conflist that the agent wrote */
export function twillNetworks(name: string, plugins: Network["plugins"]): Network[] {
  const without = plugins.map((plugin) => ({ ...plugin, capabilities: {} }));
  return [
    { subject: "twill", name, cniVersion: CNI_VERSION, plugins: without },
    { subject: "twill+ports", name, cniVersion: CNI_VERSION, plugins },
  ];
}

function hasPorts(plugin: Record<string, unknown>): boolean {
  return (plugin["capabilities"] as Record<string, unknown> | undefined)?.["portMappings"] === true;
}

/** Whether its pods have a host port each. */
export function opensPorts(network: Network): boolean {
  return network.plugins.some(hasPorts);
}

function network(subject: string, plugins: Network["plugins"]): Network {
  return { subject, name: subject.replaceAll("+", "-"), cniVersion: CNI_VERSION, plugins };
}

function hostLocal(subnets: readonly string[]): Record<string, unknown> {
  return { type: "host-local", dataDir: "/run/host-local", ranges: subnets.map((subnet) => [{ subnet }]) };
}

/** What a runtime writes to a plugin's standard input. @param prevResult of the plugin before, or of ADD for DEL */
export function pluginInput(network: Network, index: number, attachment: Attachment, prevResult?: unknown): string {
  const listed = network.plugins[index] as Record<string, unknown>;
  const { capabilities: _, ...plugin } = listed;
  return JSON.stringify({
    ...plugin,
    name: network.name,
    cniVersion: network.cniVersion,
    ...(hasPorts(listed)
      ? { runtimeConfig: { portMappings: [{ hostPort: attachment.hostPort, containerPort: 80, protocol: "tcp" }] } }
      : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  });
}

/** The environment of a call, as the specification's section 2 has it. */
export function pluginEnvironment(command: "ADD" | "DEL", attachment: Attachment): string[] {
  const { containerId } = attachment;
  return [
    `CNI_COMMAND=${command}`,
    `CNI_CONTAINERID=${containerId}`,
    `CNI_NETNS=${attachment.netns}`,
    "CNI_IFNAME=eth0",
    `CNI_PATH=${PLUGIN_DIRECTORY}`,
    `CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${containerId};K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  ];
}
