/** ClusterNetworkPolicy, and AdminNetworkPolicy with BaselineAdminNetworkPolicy that it comes from. */

import { type Dialect, hosts, OUTSIDE_NETS } from "./model.ts";

const GROUP = "policy.networking.k8s.io";
const team = (name: string) => ({ matchLabels: { team: name } });
const inTeam = (name: string) => ({ namespaces: team(name) });
const podIn = (of: string, app: string) => ({
  pods: { namespaceSelector: team(of), podSelector: { matchLabels: { app } } },
});
const EVERYBODY = { namespaces: {} };
const tcp = (destinationPort: object) => ({ tcp: { destinationPort } });

function clusterPolicy(name: string, tier: "Admin" | "Baseline", priority: number, spec: object): object {
  const kind = { apiVersion: `${GROUP}/v1alpha2`, kind: "ClusterNetworkPolicy", metadata: { name } };
  return { ...kind, spec: { tier, priority, ...spec } };
}

function networkPolicy(namespace: string, name: string, spec: object): object {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { namespace, name }, spec };
}

/** The present version. */
export const CLUSTER: Dialect = {
  name: "ClusterNetworkPolicy",
  scenarios: [
    {
      name: "Admin denies what a namespace allows, and accepts what another denies",
      objects: () => [
        networkPolicy("shop", "no", { podSelector: { matchLabels: { app: "db" } } }),
        networkPolicy("bank", "yes", { podSelector: {}, ingress: [{}] }),
        clusterPolicy("deny-ops", "Admin", 10, {
          subject: inTeam("b"),
          ingress: [{ action: "Deny", from: [inTeam("c")] }],
        }),
        clusterPolicy("accept-web", "Admin", 20, {
          subject: podIn("a", "db"),
          ingress: [{ action: "Accept", from: [podIn("a", "web")], protocols: [tcp({ number: 80 })] }],
        }),
      ],
      lines: [
        ["ops/admin", "bank/*", false],
        ["*", "shop/db", false],
        ["shop/web", "shop/db", true, { on: ["80/TCP"] }],
        ["node-2", "shop/db", true],
      ],
    },
    {
      name: "priorities, Pass to the namespace, and Baseline behind it",
      objects: () => [
        clusterPolicy("pass", "Admin", 1, {
          subject: inTeam("a"),
          ingress: [{ action: "Pass", from: [inTeam("b")], protocols: [tcp({ range: { start: 70, end: 80 } })] }],
        }),
        clusterPolicy("deny", "Admin", 2, {
          subject: inTeam("a"),
          ingress: [{ action: "Deny", from: [inTeam("b")] }],
        }),
        clusterPolicy("base", "Baseline", 0, {
          subject: inTeam("a"),
          ingress: [{ action: "Deny", from: [EVERYBODY] }],
        }),
        networkPolicy("shop", "web", { podSelector: { matchLabels: { app: "web" } }, ingress: [{}] }),
      ],
      lines: [
        ["bank/*", "shop/*", false],
        ["bank/*", "shop/web", true, { on: ["80/TCP"] }],
        ["shop/web", "shop/db", false],
        ["ops/admin", "shop/db", false],
      ],
    },
    {
      name: "egress to networks, to a node's addresses and to a named port",
      objects: (at) => [
        clusterPolicy("out", "Admin", 5, {
          subject: inTeam("c"),
          egress: [
            { action: "Deny", to: [{ networks: [...OUTSIDE_NETS] }] },
            { action: "Deny", to: [{ networks: hosts(at, "node-2") }] },
            { action: "Deny", to: [inTeam("b")], protocols: [{ destinationNamedPort: "serve-81-tcp" }] },
          ],
        }),
      ],
      lines: [
        ["ops/admin", "outside", false],
        ["ops/admin", "node-2", false],
        ["ops/admin", "bank/*", false, { on: ["81/TCP"] }],
      ],
    },
  ],
};

/** The version before. */
export const ADMIN: Dialect = {
  name: "AdminNetworkPolicy and BaselineAdminNetworkPolicy",
  scenarios: [
    {
      name: "a baseline that denies, one door of the admin's and one of a namespace's own",
      objects: () => [
        {
          apiVersion: `${GROUP}/v1alpha1`,
          kind: "BaselineAdminNetworkPolicy",
          metadata: { name: "default" },
          spec: { subject: EVERYBODY, ingress: [{ action: "Deny", from: [EVERYBODY] }] },
        },
        {
          apiVersion: `${GROUP}/v1alpha1`,
          kind: "AdminNetworkPolicy",
          metadata: { name: "door" },
          spec: {
            priority: 5,
            subject: inTeam("a"),
            ingress: [{ action: "Allow", from: [inTeam("c")], ports: [{ portNumber: { protocol: "TCP", port: 80 } }] }],
          },
        },
        networkPolicy("bank", "within", { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }),
      ],
      lines: [
        ["pods", "pods", false],
        ["ops/admin", "shop/*", true, { on: ["80/TCP"] }],
        ["bank/*", "bank/*", true],
        ["node-1", "bank/web", false],
        ["node-2", "bank/vault", false],
      ],
    },
  ],
};
