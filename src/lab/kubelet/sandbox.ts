/** A pod's network namespace and its attachment: made and unmade through the node's CNI configuration and plugins. */

import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { type Box, runIn } from "../box.ts";
import { CommandError } from "../run.ts";
import { killAllIn } from "../task.ts";
import {
  type Attachment,
  addNetwork,
  type CniResultJson,
  deleteNetwork,
  type ExecPlugin,
  resultAddresses,
} from "./cni.ts";
import { findNetworkList, type NetworkList } from "./conflist.ts";
import type { ContainerSpec } from "./image.ts";

/** Directories that are searched for plugins, in the node's file system: Twill's own, then Debian's. */
const PLUGIN_DIRECTORIES = ["/opt/cni/bin", "/usr/lib/cni"];
const NETWORK_DIRECTORY = "/etc/cni/net.d";
const PLUGIN_DEADLINE_MS = 120_000;

/** The node has no network configuration yet. */
export class NetworkNotReady extends Error {
  readonly code = "NETWORK_NOT_READY";
  constructor(why: string) {
    super(`Network is not ready: ${why}`);
    this.name = "NetworkNotReady";
  }
}

/** A pod's sandbox. */
export interface Sandbox {
  readonly id: string;
  /** Path of the namespace, valid outside of the node. */
  readonly netns: string;
  /** IP addresses in the order of the CNI result. */
  readonly addresses: readonly string[];
  /** undefined for a pod on the node's own network. */
  readonly network?: {
    readonly netnsName: string;
    readonly list: NetworkList;
    readonly attachment: Attachment;
    readonly result: CniResultJson;
  };
}

/** Runs plugins in a node's namespaces. */
export function pluginRunner(box: Box): ExecPlugin {
  return async ({ command, type, env, stdin }) => {
    const directory = PLUGIN_DIRECTORIES.find((d) => existsSync(`${box.root}${d}/${type}`));
    if (directory === undefined)
      throw new Error(`Cannot run CNI ${command}: no plugin "${type}" in ${PLUGIN_DIRECTORIES.join(", ")}`);
    return runIn(box, [`${directory}/${type}`], {
      env: { ...env, CNI_PATH: PLUGIN_DIRECTORIES.join(":"), PATH: process.env["PATH"] ?? "" },
      input: stdin,
      timeoutMs: PLUGIN_DEADLINE_MS,
    });
  };
}

/** The network configuration that the node's runtime would use now. */
export function nodeNetwork(box: Box) {
  return findNetworkList(box.root + NETWORK_DIRECTORY, NETWORK_DIRECTORY);
}

/** Bits per second of a Kubernetes quantity as `10M`; undefined when it is none. */
function bitRate(text: string | undefined): number | undefined {
  const m = /^([0-9]+(?:\.[0-9]+)?)([kKMGT]i?)?$/.exec(text ?? "");
  const scale: Record<string, number> = {
    k: 1e3,
    K: 1e3,
    M: 1e6,
    G: 1e9,
    T: 1e12,
    Ki: 2 ** 10,
    Mi: 2 ** 20,
    Gi: 2 ** 30,
    Ti: 2 ** 40,
  };
  return m ? Math.round(Number(m[1]) * (scale[m[2] ?? ""] ?? 1)) : undefined;
}

/** What a pod wants of its network beyond an address, by CNI capability. */
export function capabilityArgs(pod: KubeObject): Record<string, unknown> {
  const containers = (pod["spec"]?.containers ?? []) as ContainerSpec[];
  const portMappings = containers.flatMap((c) =>
    (c.ports ?? [])
      .filter((p) => (p.hostPort ?? 0) > 0)
      .map((p) => ({
        hostPort: p.hostPort,
        containerPort: p.containerPort,
        protocol: (p.protocol ?? "TCP").toLowerCase(),
        hostIP: p.hostIP ?? "",
      })),
  );
  const ingressRate = bitRate(pod.metadata.annotations?.["kubernetes.io/ingress-bandwidth"]);
  const egressRate = bitRate(pod.metadata.annotations?.["kubernetes.io/egress-bandwidth"]);
  // Bursts as containerd's default: what the queue may hold, bounded by 2^31 bytes.
  const burst = 2 ** 31 - 1;
  const bandwidth = {
    ...(ingressRate === undefined ? {} : { ingressRate, ingressBurst: burst }),
    ...(egressRate === undefined ? {} : { egressRate, egressBurst: burst }),
  };
  return {
    ...(portMappings.length > 0 ? { portMappings } : {}),
    ...(Object.keys(bandwidth).length > 0 ? { bandwidth } : {}),
  };
}

async function inNode(box: Box, script: string, name: string): Promise<void> {
  const argv = ["sh", "-ec", script, name];
  const output = await runIn(box, argv);
  if (output.code !== 0) throw new CommandError(argv, output);
}

/**
 * Makes a pod's network namespace and attaches it.
 * @throws Error that says which step failed; nothing is left then
 */
export async function openSandbox(box: Box, pod: KubeObject): Promise<Sandbox> {
  const id = randomBytes(32).toString("hex");
  if (pod["spec"]?.hostNetwork === true) return { id, netns: box.netns, addresses: [] };
  const list = nodeNetwork(box);
  if (!list.ok) throw new NetworkNotReady(list.error);
  const netnsName = `cni-${randomUUID()}`;
  const attachment: Attachment = {
    containerId: id,
    netns: `/run/netns/${netnsName}`,
    ifname: "eth0",
    args: [
      "IgnoreUnknown=1",
      `K8S_POD_NAMESPACE=${pod.metadata.namespace}`,
      `K8S_POD_NAME=${pod.metadata.name}`,
      `K8S_POD_INFRA_CONTAINER_ID=${id}`,
      `K8S_POD_UID=${pod.metadata.uid}`,
    ].join(";"),
    capabilityArgs: capabilityArgs(pod),
  };
  await inNode(box, 'ip netns add "$0"; ip -n "$0" link set lo up', netnsName);
  try {
    const result = await addNetwork(pluginRunner(box), list.value, attachment);
    return {
      id,
      netns: `${box.root}/run/netns/${netnsName}`,
      addresses: resultAddresses(result),
      network: { netnsName, list: list.value, attachment, result },
    };
  } catch (failure) {
    await inNode(box, 'ip netns del "$0"', netnsName).catch(() => {
      // The failure of ADD is what counts; the namespace goes with the node.
    });
    throw failure;
  }
}

/**
 * Ends what still runs in the sandbox, detaches it and removes its namespace. May be repeated.
 * @throws CniFailure when a plugin could not detach
 */
export async function closeSandbox(box: Box, sandbox: Sandbox): Promise<void> {
  if (sandbox.network === undefined) return;
  const { netnsName, list, attachment, result } = sandbox.network;
  killAllIn(sandbox.netns);
  const isThere = existsSync(sandbox.netns);
  await deleteNetwork(pluginRunner(box), list, isThere ? attachment : { ...attachment, netns: "" }, result);
  if (isThere) await inNode(box, 'ip netns del "$0"', netnsName);
}
