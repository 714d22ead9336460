/**
 * The objects of a large cluster as an API server holds them, with all that an agent does not look at: owners, managed
 * fields, probes, environment, volumes, conditions. A pod is ten kilobytes of JSON. The same size, the same cluster.
 */

import type { NewObject } from "../../src/cluster/embedded/types.ts";
import { managedFieldsOf, podSpec, podStatus } from "./pod-parts.ts";

/** How large. */
export interface ScaleSize {
  readonly nodes: number;
  /** The first ones are {@link LOCAL_NODE}'s, as many as each node has. */
  readonly pods: number;
  /** Every pod is behind one. */
  readonly services: number;
  readonly namespaces: number;
}

/** What issue 5 asks for: 30 pods a node, 10 pods a service, two policies a namespace. */
export const FULL_SIZE: ScaleSize = { nodes: 1_000, pods: 30_000, services: 3_000, namespaces: 300 };
/** To see that everything works. */
export const SMALL_SIZE: ScaleSize = { nodes: 50, pods: 1_000, services: 100, namespaces: 10 };

/** The node whose agent is measured. */
export const LOCAL_NODE = "node-0";

const TIERS = ["frontend", "backend", "data"] as const;
const TEAMS = 20;
const CREATED = "2026-11-02T08:15:42Z";

/** One pod of the cluster, by its number. */
export interface PodPlace {
  readonly number: number;
  readonly node: number;
  readonly name: string;
  readonly namespace: string;
  /** Number of its service. */
  readonly service: number;
  readonly app: string;
  readonly ips: readonly [v4: string, v6: string];
}

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");

/** Letters as a ReplicaSet's controller draws them. */
function suffix(n: number, length: number): string {
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  let rest = Math.imul(n + 1, 0x9e3779b1) >>> 0;
  return Array.from({ length }, () => {
    const letter = letters[rest % letters.length] ?? "b";
    rest = Math.imul(rest ^ (rest >>> 15), 0x85ebca6b) >>> 0;
    return letter;
  }).join("");
}

/** Where a pod runs, and as what. @param number beyond those of the size: one that comes later */
export function placeOf(size: ScaleSize, number: number): PodPlace {
  const node = Math.floor(number / podsOfNode(size)) % size.nodes;
  const slot = (number % podsOfNode(size)) + podsOfNode(size) * Math.floor(number / size.pods);
  const service = number % size.services;
  const app = `shop-${Math.floor(service / size.namespaces)}`;
  return {
    number,
    node,
    namespace: `team-${service % size.namespaces}`,
    name: `${app}-${suffix(service, 9)}-${suffix(number, 5)}`,
    service,
    app,
    ips: [`10.${128 + (node >> 8)}.${node & 255}.${2 + slot}`, `fd00:10:244:${node.toString(16)}::${hex(2 + slot, 1)}`],
  };
}

/** Pods of each node. Those of {@link LOCAL_NODE} have the lowest numbers. */
export function podsOfNode(size: ScaleSize): number {
  return size.pods / size.nodes;
}

/** The owner of a service's pods. */
export function replicaSetObject(size: ScaleSize, service: number): NewObject {
  const { app, namespace } = placeOf(size, service);
  const labels = { app };
  const spec = {
    replicas: 10,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "registry.example.com/shop" }] } },
  };
  const name = `${app}-${suffix(service, 9)}`;
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name, namespace, labels }, spec };
}

/** @param owner uid of the ReplicaSet */
export function podObject(place: PodPlace, owner: string): NewObject {
  const { number, app, namespace, name, service } = place;
  const template = suffix(service, 9);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      generateName: `${app}-${template}-`,
      labels: {
        app,
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/part-of": namespace,
        "pod-template-hash": template,
        tier: TIERS[service % TIERS.length],
        version: `v${1 + (service % 3)}`,
      },
      annotations: {
        "kubectl.kubernetes.io/restartedAt": CREATED,
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "checksum/config": hex(service, 64),
      },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `${app}-${template}`,
          uid: owner,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: managedFieldsOf(owner, CREATED),
    },
    spec: podSpec(app, `node-${place.node}`, suffix(number, 5)),
  };
}

/** What a kubelet writes. */
export function podStatusOf(place: PodPlace): object {
  return podStatus(place.app, nodeAddress(place.node), place.ips, CREATED, hex(place.number, 32));
}

function nodeAddress(node: number): string {
  return `192.168.${80 + (node >> 8)}.${node & 255}`;
}

/** Without status: a node's addresses are its kubelet's word. */
export function nodeObject(node: number): NewObject {
  const name = `node-${node}`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m6i.2xlarge",
        "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": `eu-central-1${"abc"[node % 3]}`,
      },
      annotations: {
        "kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock",
        "node.alpha.kubernetes.io/ttl": "300",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
      },
    },
    spec: {
      podCIDRs: [`10.${128 + (node >> 8)}.${node & 255}.0/24`, `fd00:10:244:${node.toString(16)}::/64`],
      providerID: `aws:///eu-central-1a/i-${hex(node, 17)}`,
    },
  };
}

/** Status of a node: addresses, conditions and the list of its images, which is most of a Node object. */
export function nodeStatusOf(node: number, addresses: readonly string[] = [nodeAddress(node)]): object {
  const beat = { lastHeartbeatTime: CREATED, lastTransitionTime: CREATED };
  const condition = (type: string, status: string, reason: string) => ({
    ...beat,
    type,
    status,
    reason,
    message: `kubelet has ${reason}`,
  });
  return {
    addresses: [
      ...addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: `node-${node}` },
    ],
    capacity: { cpu: "8", memory: "32Gi", pods: "110" },
    allocatable: { cpu: "7910m", memory: "31Gi", pods: "110" },
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID"),
      condition("Ready", "True", "KubeletReady"),
    ],
    images: Array.from({ length: 40 }, (_, i) => ({
      names: [
        `registry.example.com/shop/service-${i}@sha256:${hex(i, 64)}`,
        `registry.example.com/shop/service-${i}:1.4.${i}`,
      ],
      sizeBytes: 104857600 + i,
    })),
  };
}

/** The slice of a service. @param owner uid of the Service */
export function sliceObject(size: ScaleSize, service: number, owner: string, pods: Iterable<PodPlace>): NewObject {
  const { app, namespace } = placeOf(size, service);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${app}-${suffix(service, 5)}`,
      namespace,
      labels: {
        app,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": app,
      },
      ownerReferences: [
        { apiVersion: "v1", kind: "Service", name: app, uid: owner, controller: true, blockOwnerDeletion: true },
      ],
    },
    addressType: "IPv4",
    endpoints: Array.from(pods, (p) => ({
      addresses: [p.ips[0]],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${p.node}`,
      targetRef: { kind: "Pod", name: p.name, namespace },
      zone: `eu-central-1${"abc"[p.node % 3]}`,
    })),
    ports: [
      { name: "http", port: 8080, protocol: "TCP" },
      { name: "metrics", port: 9090, protocol: "TCP" },
    ],
  };
}

export function serviceObject(size: ScaleSize, service: number): NewObject {
  const { app, namespace } = placeOf(size, service);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: app, namespace, labels: { app } },
    spec: {
      selector: { app },
      ports: [
        { name: "http", port: 80, targetPort: "http", protocol: "TCP" },
        { name: "metrics", port: 9090, targetPort: "metrics", protocol: "TCP" },
      ],
    },
  };
}

export function namespaceObject(i: number): NewObject {
  const labels = { team: `t-${i % TEAMS}`, env: i % 4 === 0 ? "staging" : "prod" };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: `team-${i}`, labels } };
}

/** A namespace that only its own reach, and one application in it that other teams' frontends reach. */
export function policyObjects(i: number): NewObject[] {
  const policy = (name: string, spec: object): NewObject => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: `team-${i}` },
    spec,
  });
  const monitoring = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "team-0" } } };
  return [
    policy("own", {
      podSelector: {},
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: {} }] }, { from: [monitoring], ports: [{ protocol: "TCP", port: "metrics" }] }],
    }),
    policy("shop", {
      podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["shop-0", "shop-1"] }] },
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { team: `t-${(i + 1) % TEAMS}` } },
              podSelector: { matchLabels: { tier: "frontend" } },
            },
            { ipBlock: { cidr: "198.18.0.0/15", except: [`198.18.${i & 255}.0/24`] } },
          ],
          ports: [{ protocol: "TCP", port: 8080 }],
        },
      ],
    }),
  ];
}
