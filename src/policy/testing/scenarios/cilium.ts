/** Cilium: endpoints, entities, CIDRs and their groups, nodes, ICMP, denies, and what isolates. */

import { type Dialect, OUTSIDE_NETS } from "./model.ts";

const VERSION = "cilium.io/v2";

export function ciliumPolicy(namespace: string, name: string, spec: object): object {
  return { apiVersion: VERSION, kind: "CiliumNetworkPolicy", metadata: { namespace, name }, spec };
}

export function clusterwide(name: string, spec: object): object {
  return { apiVersion: VERSION, kind: "CiliumClusterwideNetworkPolicy", metadata: { name }, spec };
}

const app = (name: string) => ({ matchLabels: { app: name } });
const EVERY = { matchLabels: {} };
const tcp = (port: string) => [{ ports: [{ port, protocol: "TCP" }] }];

/** See the file's comment. */
export const CILIUM: Dialect = {
  name: "Cilium",
  scenarios: [
    {
      name: "endpoints of the own namespace, and of another by its name",
      objects: () => [
        ciliumPolicy("shop", "db", {
          endpointSelector: app("db"),
          ingress: [
            { fromEndpoints: [app("web")], toPorts: tcp("80") },
            { fromEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": "ops" } }] },
          ],
        }),
      ],
      lines: [
        ["*", "shop/db", false],
        ["shop/web", "shop/db", true, { on: ["80/TCP"] }],
        ["ops/admin", "shop/db", true],
        ["node-2", "shop/db", true],
      ],
    },
    {
      name: "a deny of the cluster beats every allow",
      objects: () => [
        clusterwide("bank", {
          endpointSelector: { matchLabels: { "k8s:io.cilium.k8s.namespace.labels.team": "b" } },
          ingress: [{ fromEntities: ["all"] }],
          ingressDeny: [{ fromEndpoints: [app("admin")], toPorts: tcp("81") }],
        }),
      ],
      lines: [["ops/admin", "bank/*", false, { on: ["81/TCP"] }]],
    },
    {
      name: "entities: the cluster and what is beyond, the own node and others",
      objects: () => [
        ciliumPolicy("ops", "out", { endpointSelector: EVERY, egress: [{ toEntities: ["cluster"] }] }),
        ciliumPolicy("bank", "in", { endpointSelector: app("vault"), ingress: [{ fromEntities: ["remote-node"] }] }),
      ],
      lines: [
        ["ops/admin", "outside", false],
        ["pods", "bank/vault", false],
      ],
    },
    {
      name: "CIDRs with exceptions and their groups mean who is outside, never pods",
      objects: () => [
        {
          apiVersion: VERSION,
          kind: "CiliumCIDRGroup",
          metadata: { name: "beyond" },
          spec: { externalCIDRs: [OUTSIDE_NETS[1]] },
        },
        ciliumPolicy("shop", "web", {
          endpointSelector: app("web"),
          egress: [{ toCIDRSet: [{ cidr: OUTSIDE_NETS[0] }, { cidrGroupRef: "beyond" }] }, { toCIDR: ["10.0.0.0/8"] }],
        }),
        ciliumPolicy("shop", "db", {
          endpointSelector: app("db"),
          egress: [{ toCIDRSet: [{ cidr: "0.0.0.0/0", except: [OUTSIDE_NETS[0]] }, { cidr: "::/0" }] }],
        }),
      ],
      lines: [
        ["shop/*", "*", false],
        ["shop/web", "outside", true],
        ["shop/db", "outside", true, { family: 6 }],
      ],
    },
    {
      name: "a node by its label, on one port",
      objects: () => [
        ciliumPolicy("bank", "vault", {
          endpointSelector: app("vault"),
          ingress: [{ fromNodes: [{ matchLabels: { "kubernetes.io/hostname": "node-2" } }], toPorts: tcp("80") }],
        }),
      ],
      lines: [
        ["*", "bank/vault", false],
        ["node-2", "bank/vault", true, { on: ["80/TCP"] }],
        ["node-1", "bank/vault", true],
      ],
    },
    {
      name: "types of ICMP of one family",
      objects: () => [
        ciliumPolicy("shop", "db", {
          endpointSelector: app("db"),
          ingress: [{ icmps: [{ fields: [{ family: "IPv4", type: 8 }] }] }],
        }),
      ],
      lines: [
        ["*", "shop/db", false],
        ["*", "shop/db", true, { on: ["ICMP"], family: 4 }],
        ["node-2", "shop/db", true],
      ],
    },
    {
      name: "a deny that does not isolate, and an empty list that does",
      objects: () => [
        ciliumPolicy("ops", "some", {
          endpointSelector: EVERY,
          enableDefaultDeny: { ingress: false },
          ingressDeny: [{ fromEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": "shop" } }] }],
        }),
        ciliumPolicy("bank", "nobody", { endpointSelector: app("web"), ingress: [{ fromEndpoints: [] }] }),
      ],
      lines: [
        ["shop/*", "ops/admin", false],
        ["*", "bank/web", false],
        ["node-2", "bank/web", true],
      ],
    },
  ],
};
