/** Random objects of Calico and Cilium for the clusters of `generate.ts`, whose labels, ports and blocks they speak of. */

import { audited } from "./generate.ts";
import { createRandom, type Random } from "./random.ts";

/** Objects as an API would give them. */
export interface RawDialects {
  readonly tiers: readonly object[];
  readonly calico: readonly object[];
  readonly globalCalico: readonly object[];
  readonly networkSets: readonly object[];
  readonly globalNetworkSets: readonly object[];
  readonly cilium: readonly object[];
  readonly clusterwideCilium: readonly object[];
  readonly cidrGroups: readonly object[];
}

const NETS = [
  "0.0.0.0/0",
  "::/0",
  "10.244.0.0/16",
  "10.244.1.2/31",
  "192.168.77.0/24",
  "203.0.113.0/24",
  "2001:db8::/32",
];
const PORTS = [53, 80, 81, 8080];
const NAMESPACES = ["x", "y", "z"];
const TIERS = ["default", "default", "t1", "t2"];

function calicoSelector(r: Random, depth = 0): string {
  const keys = ["app", "tier", "kind", "pcns.app", "projectcalico.org/namespace"];
  const value = () => r.pick(["'a'", "'b'", "'web'", "''", "'x'"]);
  if (depth < 2 && r.oneIn(3))
    return `(${calicoSelector(r, depth + 1)}) ${r.pick(["&&", "||"])} (${calicoSelector(r, depth + 1)})`;
  switch (r.below(7)) {
    case 0:
      return "all()";
    case 1:
      return `has(${r.pick(keys)})`;
    case 2:
      return `!has(${r.pick(keys)})`;
    case 3:
      return `${r.pick(keys)} ${r.pick(["in", "not in"])} {${value()}, ${value()}}`;
    case 4:
      return `${r.pick(keys)} ${r.pick(["contains", "starts with", "ends with"])} 'a'`;
    default:
      return `${r.pick(keys)} ${r.pick(["==", "!="])} ${value()}`;
  }
}

const namespaces = (r: Random) =>
  r.pick(["all()", "global()", "app == 'a'", "!has(tier)", "projectcalico.org/name == 'x'"]);

function calicoEntity(r: Random, isLocal: boolean): object {
  return {
    ...(r.oneIn(3) && { selector: isLocal ? r.pick(["app == 'a'", "app != 'a'", "has(tier)"]) : calicoSelector(r) }),
    ...(!isLocal && r.oneIn(6) && { notSelector: calicoSelector(r) }),
    ...(!isLocal && r.oneIn(5) && { namespaceSelector: namespaces(r) }),
    ...(!isLocal && r.oneIn(4) && { nets: r.list(1, 2, () => r.pick(NETS)) }),
    ...(!isLocal && r.oneIn(6) && { notNets: [r.pick(NETS)] }),
    ...(!isLocal && r.oneIn(8) && { serviceAccounts: { names: [r.pick(["default", "other"])] } }),
  };
}

function calicoTraffic(r: Random): { rule: object; ports: object } {
  switch (r.below(7)) {
    case 0:
      return {
        rule: {
          protocol: r.pick(["ICMP", "ICMPv6"]),
          ...(r.oneIn(2) && { [r.pick(["icmp", "notICMP"])]: { type: r.pick([8, 128]) } }),
        },
        ports: {},
      };
    case 1:
      return { rule: { notProtocol: r.pick(["TCP", "UDP"]) }, ports: {} };
    case 2:
    case 3: {
      const key = r.pick(["ports", "ports", "notPorts"]);
      return {
        rule: { protocol: r.pick(["TCP", "UDP", "SCTP"]) },
        ports: { [key]: [r.pick([...PORTS, "50:81", "http", "dns"])] },
      };
    }
    case 4:
      return { rule: { ipVersion: r.pick([4, 6]) }, ports: {} };
    default:
      return { rule: {}, ports: {} };
  }
}

function calicoRules(r: Random, direction: "ingress" | "egress", hasSets: boolean): object[] {
  return r.list(0, 3, () => {
    const { rule, ports } = calicoTraffic(r);
    // A set that has an endpoint's own address is read on the safe side, which is not what the specification says.
    const local = !hasSets && r.oneIn(3) ? calicoEntity(r, true) : {};
    const peer = calicoEntity(r, false);
    const [source, destination] = direction === "ingress" ? [peer, local] : [local, peer];
    return {
      action: r.pick(["Allow", "Allow", "Deny", "Log", "Pass"]),
      ...rule,
      source,
      destination: { ...destination, ...ports },
    };
  });
}

function calicoPolicy(r: Random, name: string, isCluster: boolean, hasSets: boolean): object {
  return {
    metadata: { name, ...audited(r), ...(isCluster ? {} : { namespace: r.pick(NAMESPACES) }) },
    spec: {
      tier: r.pick(TIERS),
      ...(!r.oneIn(4) && { order: r.pick([1, 2, 1000, 2000]) }),
      ...(!r.oneIn(3) && { selector: calicoSelector(r) }),
      ...(isCluster && r.oneIn(3) && { namespaceSelector: namespaces(r) }),
      ...(r.oneIn(3) && { types: r.pick([["Ingress"], ["Egress"], ["Ingress", "Egress"]]) }),
      ingress: calicoRules(r, "ingress", hasSets),
      egress: calicoRules(r, "egress", hasSets),
    },
  };
}

function ciliumSelector(r: Random): object {
  const key = r.pick([
    "app",
    "k8s:app",
    "any:tier",
    "k8s:io.kubernetes.pod.namespace",
    "reserved:host",
    "reserved:world",
  ]);
  if (r.oneIn(4)) return {};
  if (r.oneIn(2)) return { matchLabels: { [key]: key.startsWith("reserved") ? "" : r.pick(["a", "b", "x"]) } };
  const operator = r.pick(["In", "NotIn", "Exists", "DoesNotExist"]);
  const values = operator === "In" || operator === "NotIn" ? { values: [r.pick(["a", "b", "y"])] } : {};
  return { matchExpressions: [{ key, operator, ...values }] };
}

function ciliumPeers(r: Random, stem: "from" | "to"): object {
  switch (r.below(6)) {
    case 0:
      return {
        [`${stem}Entities`]: [r.pick(["all", "world", "world-ipv4", "cluster", "host", "remote-node", "none"])],
      };
    case 1:
      return { [`${stem}CIDR`]: r.list(1, 2, () => r.pick(NETS)) };
    case 2:
      return {
        [`${stem}CIDRSet`]: [
          r.oneIn(2) ? { cidr: "0.0.0.0/0", except: [r.pick(["203.0.113.0/28", "8.0.0.0/8"])] } : { cidrGroupRef: "g" },
        ],
      };
    case 3:
      return r.oneIn(2) ? { [`${stem}Nodes`]: [{ matchLabels: { zone: r.pick(["a", "b"]) } }] } : {};
    default:
      return { [`${stem}Endpoints`]: r.list(0, 2, () => ciliumSelector(r)) };
  }
}

function ciliumTraffic(r: Random): object {
  if (r.oneIn(6)) return { icmps: [{ fields: [{ type: r.pick([8, "EchoReply"]) }, { family: "IPv6", type: 128 }] }] };
  if (r.oneIn(2)) return {};
  const port = () => ({
    port: r.pick(["0", "53", "80", "http", "dns"]),
    ...(r.oneIn(2) && { protocol: r.pick(["TCP", "UDP", "SCTP", "ANY"]) }),
  });
  const ranged = () => ({ port: "50", endPort: 81 });
  return { toPorts: [{ ports: r.list(1, 2, () => (r.oneIn(4) ? ranged() : port())) }] };
}

function ciliumPolicy(r: Random, name: string, isCluster: boolean): object {
  const rules = (stem: "from" | "to") => r.list(0, 2, () => ({ ...ciliumPeers(r, stem), ...ciliumTraffic(r) }));
  return {
    metadata: { name, ...audited(r), ...(isCluster ? {} : { namespace: r.pick(NAMESPACES) }) },
    spec: {
      endpointSelector: ciliumSelector(r),
      ingress: rules("from"),
      egress: rules("to"),
      ...(r.oneIn(3) && { [r.pick(["ingressDeny"])]: rules("from") }),
      ...(r.oneIn(3) && { egressDeny: rules("to") }),
      ...(r.oneIn(4) && { enableDefaultDeny: { [r.pick(["ingress", "egress"])]: r.oneIn(2) } }),
    },
  };
}

/** Objects about nodes, as an API would give them. */
export interface RawHosts {
  readonly hostEndpoints: readonly object[];
  readonly hostPolicies: readonly object[];
}

/** Those of a seed, for the clusters of `generate.ts`: at most one host endpoint for each node. */
export function generateHosts(seed: number): RawHosts {
  const r = createRandom(seed + 55_555);
  const labels = () => ({ ...(!r.oneIn(3) && { app: r.pick(["a", "b"]) }), ...(r.oneIn(2) && { tier: "web" }) });
  const nodes = r.oneIn(6) ? [] : ["node-1", "node-2"].filter(() => !r.oneIn(3));
  return {
    hostEndpoints: nodes.map((node) => ({
      metadata: { name: `of-${node}`, labels: labels() },
      spec: { node, interfaceName: "*", ...(r.oneIn(2) && { profiles: ["projectcalico-default-allow"] }) },
    })),
    hostPolicies: Array.from({ length: r.below(3) }, (_, i) => {
      const { metadata, spec } = ciliumPolicy(r, `host-${i}`, true) as { metadata: object; spec: object };
      const { endpointSelector: _e, ...rest } = spec as { endpointSelector: object };
      return {
        metadata,
        spec: { ...rest, nodeSelector: r.oneIn(3) ? {} : { matchLabels: { zone: r.pick(["a", "b"]) } } },
      };
    }),
  };
}

/** The objects of a seed. */
export function generateDialects(seed: number): RawDialects {
  const r = createRandom(seed + 77_777);
  const hasSets = r.oneIn(2);
  const many = (n: number, make: (i: number) => object) => Array.from({ length: r.below(n) }, (_, i) => make(i));
  return {
    tiers: [
      { metadata: { name: "t1" }, spec: { order: r.pick([1, 1_500_000]), defaultAction: r.pick(["Deny", "Pass"]) } },
      { metadata: { name: "t2" }, spec: { ...(r.oneIn(2) && { order: 1 }) } },
    ],
    calico: many(3, (i) => calicoPolicy(r, `np-${i}`, false, hasSets)),
    globalCalico: many(3, (i) => calicoPolicy(r, `gnp-${i}`, true, hasSets)),
    networkSets: many(hasSets ? 2 : 1, () => ({
      metadata: { name: "s", namespace: "x", labels: { kind: "a" } },
      spec: { nets: [r.pick(NETS)] },
    })),
    globalNetworkSets: many(hasSets ? 3 : 1, (i) => ({
      metadata: { name: `g${i}`, labels: { app: "a" } },
      spec: { nets: [r.pick(NETS)] },
    })),
    cilium: many(3, (i) => ciliumPolicy(r, `cnp-${i}`, false)),
    clusterwideCilium: many(2, (i) => ciliumPolicy(r, `ccnp-${i}`, true)),
    cidrGroups: [{ metadata: { name: "g" }, spec: { externalCIDRs: [r.pick(NETS), "10.244.0.0/16"] } }],
  };
}
