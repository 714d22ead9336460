/** NetworkPolicy: the whole of Kubernetes' own cases stands in `e2e-cases.ts`; here is what meets other dialects. */

import { type Dialect, host } from "./model.ts";

function networkPolicy(namespace: string, name: string, spec: object): object {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { namespace, name }, spec };
}

const app = (name: string) => ({ matchLabels: { app: name } });
const BOTH = ["Ingress", "Egress"];

/** See the file's comment. */
export const KUBERNETES: Dialect = {
  name: "Kubernetes NetworkPolicy",
  scenarios: [
    {
      name: "a namespace that is closed both ways, open within, and with one door",
      objects: () => [
        networkPolicy("shop", "closed", { podSelector: {}, policyTypes: BOTH }),
        networkPolicy("shop", "within", {
          podSelector: {},
          policyTypes: BOTH,
          ingress: [{ from: [{ podSelector: {} }] }],
          egress: [{ to: [{ podSelector: {} }] }],
        }),
        networkPolicy("shop", "door", {
          podSelector: app("web"),
          ingress: [
            { from: [{ namespaceSelector: { matchLabels: { team: "b" } } }], ports: [{ protocol: "TCP", port: 80 }] },
          ],
        }),
      ],
      lines: [
        ["*", "shop/*", false],
        ["shop/*", "*", false],
        ["shop/*", "shop/*", true],
        ["bank/*", "shop/web", true, { on: ["80/TCP"] }],
        ["node-1", "shop/web", true],
        ["node-2", "shop/db", true],
      ],
    },
    {
      name: "a block of one family with exceptions closes the other family",
      objects: (at) => [
        networkPolicy("ops", "out", {
          podSelector: {},
          policyTypes: ["Egress"],
          egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: [host(at, "shop/db", 4), "198.51.100.0/24"] } }] }],
        }),
      ],
      lines: [
        ["ops/admin", "*", false, { family: 6 }],
        ["ops/admin", "shop/db", false],
        ["ops/admin", "outside", false],
      ],
    },
    {
      name: "a range of ports and a name, each of its protocol",
      objects: () => [
        networkPolicy("bank", "ports", {
          podSelector: app("vault"),
          ingress: [
            {
              ports: [
                { protocol: "TCP", port: 81, endPort: 90 },
                { protocol: "UDP", port: "serve-80-udp" },
              ],
            },
          ],
        }),
      ],
      lines: [
        ["*", "bank/vault", false, { on: ["80/TCP", "ICMP"] }],
        ["node-1", "bank/vault", true],
      ],
    },
  ],
};
