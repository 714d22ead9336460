/** A node as the API shows it. */

import { arch, cpus, release, totalmem } from "node:os";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { bootId } from "../process.ts";

/** What a kubelet says of its node. */
export interface NodeFacts {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Empty when somebody else carves the cluster's address space. */
  readonly podCIDRs: readonly string[];
}

/** Version that the lab's kubelets give: the API that they speak, and that they are the lab's. */
const KUBELET_VERSION = "v1.32.0-twill.lab";
/** As Kubernetes' default. */
const MAX_PODS = "110";

const GO_ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The object to create when the node joins. */
export function nodeObject(facts: NodeFacts): NewObject {
  const architecture = GO_ARCH[arch()] ?? arch();
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: facts.name,
      labels: { "kubernetes.io/hostname": facts.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture },
    },
    spec: facts.podCIDRs.length > 0 ? { podCIDR: facts.podCIDRs[0], podCIDRs: facts.podCIDRs } : {},
  };
}

/** Sizes, addresses and versions for the node's status. */
export function nodeDescription(facts: NodeFacts) {
  const size = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: MAX_PODS };
  return {
    addresses: [
      ...facts.addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: facts.name },
    ],
    capacity: size,
    allocatable: size,
    nodeInfo: {
      architecture: GO_ARCH[arch()] ?? arch(),
      operatingSystem: "linux",
      osImage: "Twill lab (network namespaces)",
      kernelVersion: release(),
      kubeletVersion: KUBELET_VERSION,
      kubeProxyVersion: KUBELET_VERSION,
      containerRuntimeVersion: "twill-lab://0.1.0",
      machineID: "",
      systemUUID: "",
      bootID: bootId(),
    },
  };
}

/** Pressure conditions that a lab's node never has, and whether pods can run. */
export function nodeConditions(
  notReady: string | undefined,
  nowMs: number,
  lastTransition: (type: string, status: string) => string | undefined,
) {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: lastTransition(type, status) ?? now,
  });
  return [
    condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    notReady === undefined
      ? condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")
      : condition("Ready", "False", "KubeletNotReady", notReady),
  ];
}
