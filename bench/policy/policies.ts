/** Ten thousand policies as clusters of that size have them: most in namespaces, a few for everyone, of all dialects. */

import type { ClusterTable } from "../../src/cluster/source.ts";
import type { Random } from "../../src/policy/testing/random.ts";

/** An object as an API gives it, and the table that it belongs to. */
export interface RawObject {
  readonly table: ClusterTable;
  readonly object: object;
}

/** Applications of one namespace; `app` labels are `app-0` … */
export const APPS_PER_NAMESPACE = 10;
/** Distinct values of the namespaces' label `team`. */
export const TEAMS = 24;

const app = (r: Random) => `app-${r.below(APPS_PER_NAMESPACE)}`;
const team = (r: Random) => `team-${r.below(TEAMS)}`;
const tier = (r: Random) => r.pick(["frontend", "backend", "data"]);
const port = (r: Random) => r.pick([80, 443, 5432, 6379, 8080, 8443, 9000 + r.below(200)]);
const block = (r: Random) => `203.${r.below(100)}.${r.below(256)}.0/24`;

const labels = (matchLabels: Record<string, string>) => ({ matchLabels });
const tcp = (port: number | string) => [{ protocol: "TCP", port }];
const DNS = [
  { protocol: "UDP", port: 53 },
  { protocol: "TCP", port: 53 },
];
const named = (name: string) => labels({ "kubernetes.io/metadata.name": name });

/** Specs of `networking.k8s.io/v1` NetworkPolicy. @param other another namespace */
const KUBERNETES: readonly ((r: Random, other: string) => object)[] = [
  () => ({ podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
  () => ({
    podSelector: {},
    policyTypes: ["Egress"],
    egress: [
      { to: [{ namespaceSelector: named("ns-0"), podSelector: labels({ "k8s-app": "kube-dns" }) }], ports: DNS },
    ],
  }),
  (r) => ({
    podSelector: labels({ app: app(r) }),
    ingress: [{ from: [{ podSelector: labels({ app: app(r) }) }], ports: tcp(port(r)) }],
  }),
  (r) => ({
    podSelector: labels({ tier: "backend" }),
    ingress: [{ from: [{ podSelector: labels({ tier: tier(r) }) }], ports: tcp("http") }],
  }),
  (r) => ({
    podSelector: labels({ app: app(r) }),
    ingress: [
      {
        from: [
          {
            namespaceSelector: labels({ team: team(r) }),
            podSelector: { matchExpressions: [{ key: "tier", operator: "In", values: [tier(r), tier(r)] }] },
          },
        ],
        ports: tcp(port(r)),
      },
    ],
  }),
  () => ({
    podSelector: {},
    ingress: [{ from: [{ namespaceSelector: named("ns-1") }], ports: tcp("metrics") }],
  }),
  (r) => {
    const cidr = block(r);
    const except = [cidr.replace("0/24", "16/28")];
    return {
      podSelector: labels({ app: app(r) }),
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr, except } }], ports: tcp(443) }],
    };
  },
  (r, other) => ({
    podSelector: labels({ app: app(r) }),
    policyTypes: ["Egress"],
    egress: [
      {
        to: [{ namespaceSelector: named(other), podSelector: labels({ app: app(r) }) }],
        ports: [{ protocol: "TCP", port: 8000, endPort: 8000 + r.below(200) }],
      },
    ],
  }),
];

function calico(r: Random): object {
  const peer = r.oneIn(2)
    ? { selector: `tier == '${tier(r)}'`, namespaceSelector: `team == '${team(r)}'` }
    : { selector: `app in {'${app(r)}', '${app(r)}'}` };
  return {
    order: 400 + r.below(1200),
    selector: `app == '${app(r)}'`,
    types: ["Ingress"],
    ingress: [
      { action: "Deny", protocol: "TCP", source: { nets: [block(r)] }, destination: { ports: [port(r)] } },
      { action: "Allow", protocol: "TCP", source: peer, destination: { ports: [port(r), "9300:9400"] } },
    ],
  };
}

function cilium(r: Random): object {
  const ports = [{ ports: [{ port: String(port(r)), protocol: "TCP" }] }];
  return {
    endpointSelector: labels({ app: app(r) }),
    ingress: [{ fromEndpoints: [labels({ app: app(r), tier: tier(r) })], toPorts: ports }],
    egress: [
      { toEntities: ["kube-apiserver", "host"] },
      { toCIDRSet: [{ cidr: block(r), except: [] }], toPorts: ports },
    ],
  };
}

function globalCalico(r: Random): object {
  return {
    tier: "security",
    order: r.below(1000),
    namespaceSelector: `team == '${team(r)}'`,
    types: ["Ingress"],
    ingress: [
      { action: "Deny", source: { selector: `set == 'set-${r.below(20)}'` } },
      { action: "Deny", protocol: "TCP", source: { nets: [block(r)] } },
      { action: "Pass" },
    ],
  };
}

function clusterwideCilium(r: Random): object {
  const key = "k8s:io.cilium.k8s.namespace.labels.team";
  return {
    endpointSelector: labels({ [key]: team(r) }),
    enableDefaultDeny: { ingress: false, egress: false },
    ingressDeny: [{ fromCIDR: [block(r)] }],
  };
}

function admin(r: Random): object {
  return {
    tier: "Admin",
    priority: r.below(1000),
    subject: { namespaces: labels({ team: team(r) }) },
    ingress: [
      {
        action: r.pick(["Accept", "Pass"]),
        from: [{ namespaces: named("ns-1") }],
        protocols: [{ tcp: { destinationPort: { number: port(r) } } }],
      },
      { action: "Deny", from: [{ namespaces: labels({ team: team(r), env: "dev" }) }] },
    ],
  };
}

/** Whose policies there are: those of a namespace, and those for everyone. */
export const DIALECTS = ["kubernetes", "calico", "cilium", "calico-global", "cilium-global", "cluster"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** The dialect of a policy, by its number: of a hundred 60 are Kubernetes', 24 and 2 Calico's, 12 and 1 Cilium's, 1 of the cluster's. */
export function dialectOf(i: number): Dialect {
  const k = i % 100;
  if (k < 60) return "kubernetes";
  if (k < 84) return "calico";
  if (k < 96) return "cilium";
  if (k < 98) return "calico-global";
  return k < 99 ? "cilium-global" : "cluster";
}

/** One policy of the dialect of its number. */
export function makePolicy(i: number, r: Random, namespaces: number): RawObject {
  const name = `policy-${i}`;
  const metadata = { name, namespace: `ns-${r.below(namespaces)}` };
  switch (dialectOf(i)) {
    case "kubernetes": {
      const make = KUBERNETES[(i % 100) % KUBERNETES.length] as (typeof KUBERNETES)[number];
      return { table: "networkPolicies", object: { metadata, spec: make(r, `ns-${r.below(namespaces)}`) } };
    }
    case "calico":
      return { table: "calicoNetworkPolicies", object: { metadata, spec: calico(r) } };
    case "cilium":
      return { table: "ciliumNetworkPolicies", object: { metadata, spec: cilium(r) } };
    case "calico-global":
      return { table: "globalNetworkPolicies", object: { metadata: { name }, spec: globalCalico(r) } };
    case "cilium-global":
      return { table: "ciliumClusterwideNetworkPolicies", object: { metadata: { name }, spec: clusterwideCilium(r) } };
    case "cluster":
      return { table: "clusterNetworkPolicies", object: { metadata: { name }, spec: admin(r) } };
  }
}
