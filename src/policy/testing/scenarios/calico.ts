/** Calico: tiers and orders, Pass and Log, negations, sets, staged policies, ICMP, accounts. */

import { type Dialect, hosts, OUTSIDE_NETS } from "./model.ts";

const VERSION = "projectcalico.org/v3";

/** A GlobalNetworkPolicy; its tier is the part of its name before the dot, or `default`. */
export function globalPolicy(name: string, spec: object): object {
  const tier = name.includes(".") ? name.split(".")[0] : "default";
  return { apiVersion: VERSION, kind: "GlobalNetworkPolicy", metadata: { name }, spec: { tier, ...spec } };
}

export function calicoPolicy(namespace: string, name: string, spec: object): object {
  return { apiVersion: VERSION, kind: "NetworkPolicy", metadata: { namespace, name }, spec };
}

export function tier(name: string, spec: object): object {
  return { apiVersion: VERSION, kind: "Tier", metadata: { name }, spec };
}

/** See the file's comment. */
export const CALICO: Dialect = {
  name: "Calico",
  scenarios: [
    {
      name: "a tier that denies some, passes the rest to the next, whose end denies",
      objects: () => [
        tier("security", { order: 10 }),
        globalPolicy("security.web", {
          order: 1,
          selector: "app == 'web'",
          ingress: [{ action: "Deny", source: { namespaceSelector: "team == 'b'" } }, { action: "Pass" }],
        }),
        calicoPolicy("shop", "web", {
          selector: "app == 'web'",
          ingress: [{ action: "Allow", protocol: "TCP", source: { selector: "all()" }, destination: { ports: [80] } }],
        }),
      ],
      lines: [
        ["bank/*", "*/web", false],
        ["*", "shop/web", false],
        ["shop/db", "shop/web", true, { on: ["80/TCP"] }],
        ["node-1", "shop/web", true],
      ],
    },
    {
      name: "orders within a tier; what logs goes on",
      objects: () => [
        calicoPolicy("bank", "last", { order: 20, ingress: [{ action: "Allow" }] }),
        calicoPolicy("bank", "middle", { order: 15, ingress: [{ action: "Deny" }] }),
        calicoPolicy("bank", "first", {
          order: 10,
          ingress: [
            { action: "Log" },
            {
              action: "Allow",
              protocol: "TCP",
              source: { namespaceSelector: "all()" },
              destination: { ports: [81] },
            },
          ],
        }),
      ],
      lines: [
        ["*", "bank/*", false],
        ["pods", "bank/*", true, { on: ["81/TCP"] }],
        ["node-1", "bank/vault", true],
        ["node-2", "bank/web", true],
      ],
    },
    {
      name: "not this selector, not these nets, not this port, not this protocol",
      objects: (at) => [
        globalPolicy("vault", {
          order: 10,
          selector: "app == 'vault'",
          ingress: [
            {
              action: "Allow",
              protocol: "TCP",
              source: { notSelector: "app == 'admin'" },
              destination: { notPorts: [81] },
            },
            { action: "Allow", notProtocol: "TCP", source: { notNets: hosts(at, "shop/web") } },
          ],
        }),
      ],
      lines: [
        ["*", "bank/vault", false, { on: ["81/TCP"] }],
        ["ops/admin", "bank/vault", false, { on: ["80/TCP"] }],
        ["shop/web", "bank/vault", false, { on: ["80/UDP", "ICMP"] }],
        ["node-1", "bank/vault", true],
      ],
    },
    {
      name: "sets of networks, of the cluster and of a namespace, by their labels",
      objects: (at) => [
        {
          apiVersion: VERSION,
          kind: "GlobalNetworkSet",
          metadata: { name: "beyond", labels: { set: "beyond" } },
          spec: { nets: [...OUTSIDE_NETS] },
        },
        {
          apiVersion: VERSION,
          kind: "NetworkSet",
          metadata: { namespace: "shop", name: "friends", labels: { set: "friends" } },
          spec: { nets: hosts(at, "ops/admin") },
        },
        globalPolicy("out", {
          order: 10,
          selector: "app == 'db'",
          types: ["Egress"],
          egress: [{ action: "Deny", destination: { selector: "set == 'beyond'" } }, { action: "Allow" }],
        }),
        calicoPolicy("shop", "in", {
          order: 10,
          selector: "app == 'web'",
          ingress: [{ action: "Allow", source: { selector: "set == 'friends'" } }],
        }),
      ],
      lines: [
        ["shop/db", "outside", false],
        ["*", "shop/web", false],
        ["ops/admin", "shop/web", true],
        ["node-1", "shop/web", true],
      ],
    },
    {
      name: "what is staged changes nothing",
      objects: () => [
        {
          apiVersion: VERSION,
          kind: "StagedGlobalNetworkPolicy",
          metadata: { name: "all" },
          spec: { tier: "default", order: 1, selector: "all()", types: ["Ingress", "Egress"] },
        },
        {
          apiVersion: VERSION,
          kind: "StagedNetworkPolicy",
          metadata: { namespace: "shop", name: "shop" },
          spec: { order: 1, ingress: [{ action: "Deny" }] },
        },
        {
          apiVersion: VERSION,
          kind: "StagedKubernetesNetworkPolicy",
          metadata: { namespace: "bank", name: "bank" },
          spec: { podSelector: {}, policyTypes: ["Ingress"] },
        },
      ],
      lines: [],
    },
    {
      name: "one family, and one type of ICMP",
      objects: () => [
        globalPolicy("db", {
          order: 10,
          selector: "app == 'db'",
          ingress: [
            { action: "Deny", ipVersion: 6 },
            { action: "Deny", protocol: "ICMP", icmp: { type: 8 } },
            { action: "Allow" },
          ],
        }),
      ],
      lines: [
        ["*", "shop/db", false, { family: 6 }],
        ["*", "shop/db", false, { on: ["ICMP"] }],
        ["node-2", "shop/db", true],
      ],
    },
    {
      name: "a service account, in a tier whose end passes",
      objects: () => [
        tier("soft", { order: 5, defaultAction: "Pass" }),
        globalPolicy("soft.accounts", {
          order: 1,
          selector: "app == 'db'",
          ingress: [{ action: "Deny", source: { serviceAccounts: { names: ["admin"] } } }],
        }),
      ],
      lines: [["ops/admin", "shop/db", false]],
    },
  ],
};
