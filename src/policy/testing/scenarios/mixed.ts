/** All dialects in one cluster: side by side, and one before the other. */

import { calicoPolicy, globalPolicy, tier } from "./calico.ts";
import { ciliumPolicy } from "./cilium.ts";
import type { Dialect } from "./model.ts";

const GROUP = "policy.networking.k8s.io";
const team = (name: string) => ({ matchLabels: { team: name } });
const pod = (of: string, app: string) => ({
  pods: { namespaceSelector: team(of), podSelector: { matchLabels: { app } } },
});
const web = { matchLabels: { app: "web" } };

/** See the file's comment. */
export const MIXED: Dialect = {
  name: "all dialects in one cluster",
  scenarios: [
    {
      name: "Admin, Calico's tiers, in the default tier Calico's first, Cilium's denies, who allows, Calico's last; Baseline",
      objects: () => [
        {
          apiVersion: `${GROUP}/v1alpha2`,
          kind: "ClusterNetworkPolicy",
          metadata: { name: "admin" },
          spec: {
            tier: "Admin",
            priority: 1,
            subject: pod("a", "web"),
            ingress: [
              {
                action: "Accept",
                from: [{ namespaces: team("c") }],
                protocols: [{ tcp: { destinationPort: { number: 80 } } }],
              },
            ],
          },
        },
        {
          apiVersion: `${GROUP}/v1alpha1`,
          kind: "AdminNetworkPolicy",
          metadata: { name: "out" },
          spec: {
            priority: 2,
            subject: { namespaces: team("b") },
            egress: [
              {
                action: "Deny",
                to: [{ namespaces: team("c") }],
                ports: [{ portNumber: { protocol: "TCP", port: 80 } }],
              },
            ],
          },
        },
        tier("security", { order: 10 }),
        globalPolicy("security.web", {
          order: 1,
          selector: "app == 'web'",
          ingress: [{ action: "Deny", source: { namespaceSelector: "team == 'c'" } }, { action: "Pass" }],
        }),
        calicoPolicy("shop", "first", {
          order: 500,
          selector: "app == 'web'",
          ingress: [
            {
              action: "Allow",
              protocol: "TCP",
              source: { namespaceSelector: "all()", selector: "app == 'vault'" },
              destination: { ports: [81] },
            },
          ],
        }),
        ciliumPolicy("shop", "denies", {
          endpointSelector: web,
          ingressDeny: [
            {
              fromEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": "bank" } }],
              toPorts: [{ ports: [{ port: "81", protocol: "TCP" }] }],
            },
          ],
        }),
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { namespace: "shop", name: "web" },
          spec: { podSelector: web, ingress: [{}] },
        },
        calicoPolicy("shop", "last", { order: 2000, selector: "app == 'web'", ingress: [{ action: "Deny" }] }),
        {
          apiVersion: `${GROUP}/v1alpha1`,
          kind: "BaselineAdminNetworkPolicy",
          metadata: { name: "default" },
          spec: {
            subject: { namespaces: team("a") },
            ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
          },
        },
      ],
      lines: [
        ["pods", "shop/db", false],
        ["ops/admin", "*/web", false],
        ["ops/admin", "shop/web", true, { on: ["80/TCP"] }],
        ["bank/*", "shop/web", false, { on: ["81/TCP"] }],
        ["bank/vault", "shop/web", true, { on: ["81/TCP"] }],
        ["bank/*", "ops/admin", false, { on: ["80/TCP"] }],
      ],
    },
    {
      name: "each dialect guards a pod of its own",
      objects: () => [
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { namespace: "bank", name: "vault" },
          spec: {
            podSelector: { matchLabels: { app: "vault" } },
            ingress: [{ ports: [{ protocol: "UDP", port: 80 }] }],
          },
        },
        ciliumPolicy("shop", "db", {
          endpointSelector: { matchLabels: { app: "db" } },
          ingress: [{ fromEndpoints: [web] }],
        }),
        globalPolicy("bank-web", {
          order: 1,
          selector: "app == 'web' && projectcalico.org/namespace == 'bank'",
          ingress: [{ action: "Deny", protocol: "TCP" }, { action: "Allow" }],
        }),
        {
          apiVersion: `${GROUP}/v1alpha2`,
          kind: "ClusterNetworkPolicy",
          metadata: { name: "ops" },
          spec: {
            tier: "Baseline",
            priority: 1,
            subject: { namespaces: team("c") },
            ingress: [{ action: "Deny", from: [{ namespaces: team("a") }] }],
          },
        },
      ],
      lines: [
        ["*", "bank/vault", false, { on: ["80/TCP", "81/TCP", "ICMP"] }],
        ["node-1", "bank/vault", true],
        ["*", "shop/db", false],
        ["shop/web", "shop/db", true],
        ["node-2", "shop/db", true],
        ["*", "bank/web", false, { on: ["80/TCP", "81/TCP"] }],
        ["node-2", "bank/web", true],
        ["shop/*", "ops/admin", false],
      ],
    },
  ],
};
