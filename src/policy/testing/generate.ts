/**
 * Random clusters: small enough that selectors hit, with everything in them that is easily got wrong: both families,
 * completed and host-network pods, equal names for different ports, blocks that cut pods and nodes, ties, empty lists.
 */

import { createRandom, type Random } from "./random.ts";

/** Objects as an API would give them. */
export interface RawCluster {
  readonly nodes: readonly object[];
  readonly namespaces: readonly object[];
  readonly pods: readonly object[];
  readonly networkPolicies: readonly object[];
  readonly clusterPolicies: readonly object[];
  readonly adminPolicies: readonly object[];
  readonly baselinePolicies: readonly object[];
}

const NAMESPACES = ["x", "y", "z"];
const LABELS: Readonly<Record<string, readonly string[]>> = { app: ["a", "b", "c"], tier: ["", "web"] };
const PORT_NAMES = ["http", "dns"];
const PORTS = [53, 80, 81, 8080, 65535];
const PROTOCOLS = ["TCP", "UDP", "SCTP"];
const BLOCKS = ["0.0.0.0/0", "10.244.0.0/16", "10.244.1.0/24", "10.244.1.2/31", "192.168.77.0/24", "203.0.113.0/24"];
const BLOCKS6 = ["::/0", "fd00:10:244::/48", "fd00:10:244:1::/64", "2001:db8::/32"];

function labels(r: Random): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, values] of Object.entries(LABELS)) if (!r.oneIn(3)) out[key] = r.pick(values);
  return out;
}

function selector(r: Random): object {
  if (r.oneIn(4)) return {};
  const key = r.pick(Object.keys(LABELS));
  const values = LABELS[key] ?? [];
  if (r.oneIn(2)) return { matchLabels: { [key]: r.pick(values) } };
  const operator = r.pick(["In", "NotIn", "Exists", "DoesNotExist"]);
  const takesValues = operator === "In" || operator === "NotIn";
  return {
    matchExpressions: [{ key, operator, ...(takesValues ? { values: r.list(1, 2, () => r.pick(values)) } : {}) }],
  };
}

function namespaceSelector(r: Random): object {
  return r.oneIn(3) ? { matchLabels: { "kubernetes.io/metadata.name": r.pick(NAMESPACES) } } : selector(r);
}

function block(r: Random): object {
  const blocks = r.oneIn(3) ? BLOCKS6 : BLOCKS;
  const i = r.below(blocks.length);
  const inside = blocks === BLOCKS ? ["10.244.1.2/32", "10.244.1.0/25"] : ["fd00:10:244:1::3/128"];
  const isWide = blocks[i] === "0.0.0.0/0" || blocks[i] === "::/0" || i === 1;
  return { cidr: blocks[i], ...(isWide && r.oneIn(2) ? { except: [r.pick(inside)] } : {}) };
}

function peer(r: Random): object {
  switch (r.below(4)) {
    case 0:
      return { podSelector: selector(r) };
    case 1:
      return { namespaceSelector: namespaceSelector(r) };
    case 2:
      return { namespaceSelector: namespaceSelector(r), podSelector: selector(r) };
    default:
      return { ipBlock: block(r) };
  }
}

function port(r: Random): object {
  const protocol = r.oneIn(4) ? {} : { protocol: r.pick(PROTOCOLS) };
  switch (r.below(4)) {
    case 0:
      return protocol;
    case 1:
      return { ...protocol, port: r.pick(PORT_NAMES) };
    case 2: {
      const first = r.pick(PORTS);
      return { ...protocol, port: first, endPort: r.pick(PORTS.filter((p) => p >= first)) };
    }
    default:
      return { ...protocol, port: r.pick(PORTS) };
  }
}

/** Sometimes what makes a policy one that is only counted. */
export function audited(r: Random): object {
  return r.oneIn(12) ? { annotations: { "policy.twill.dev/mode": "audit" } } : {};
}

function networkPolicy(r: Random, i: number): object {
  const rules = (key: string) =>
    r.list(0, 2, () => ({
      ...(r.oneIn(4) ? {} : { [key]: r.list(0, 2, () => peer(r)) }),
      ...(r.oneIn(3) ? {} : { ports: r.list(0, 2, () => port(r)) }),
    }));
  const types = r.pick([undefined, ["Ingress"], ["Egress"], ["Ingress", "Egress"]]);
  return {
    metadata: { namespace: r.pick(NAMESPACES), name: `np-${i}`, ...audited(r) },
    spec: {
      podSelector: selector(r),
      ...(types === undefined ? {} : { policyTypes: types }),
      ...(r.oneIn(4) ? {} : { ingress: rules("from") }),
      ...(r.oneIn(2) ? {} : { egress: rules("to") }),
    },
  };
}

function pods(r: Random): object {
  return { ...(r.oneIn(3) ? {} : { namespaceSelector: namespaceSelector(r) }), podSelector: selector(r) };
}

function clusterPeer(r: Random, direction: "ingress" | "egress"): object {
  if (r.oneIn(12)) return {};
  switch (r.below(direction === "ingress" ? 2 : 5)) {
    case 0:
      return { namespaces: namespaceSelector(r) };
    case 1:
      return { pods: pods(r) };
    case 2:
      return { nodes: r.oneIn(2) ? {} : { matchLabels: { zone: r.pick(["a", "b"]) } } };
    default:
      return { networks: r.list(1, 2, () => r.pick(r.oneIn(3) ? BLOCKS6 : BLOCKS)) };
  }
}

function range(r: Random): { start: number; end: number } {
  const start = r.pick([1, 53, 80, 8000]);
  return { start, end: start + 1 + r.below(5000) };
}

function clusterProtocol(r: Random): object {
  if (r.oneIn(4)) return { destinationNamedPort: r.pick(PORT_NAMES) };
  const destinationPort = r.oneIn(2) ? { number: r.pick(PORTS) } : { range: range(r) };
  return { [r.pick(["tcp", "udp", "sctp"])]: r.oneIn(4) ? {} : { destinationPort } };
}

function adminPort(r: Random): object {
  if (r.oneIn(4)) return { namedPort: r.pick(PORT_NAMES) };
  const protocol = r.pick(PROTOCOLS);
  return r.oneIn(2) ? { portNumber: { protocol, port: r.pick(PORTS) } } : { portRange: { protocol, ...range(r) } };
}

type Direction = "ingress" | "egress";

function clusterRules(r: Random, direction: Direction, actions: readonly string[], key: string, traffic: () => object) {
  return r.list(0, 3, () => {
    const peers = r.list(1, 2, () => clusterPeer(r, direction));
    const hasPorts = peers.every((p) => !("nodes" in p) && !("networks" in p));
    const ports = r.list(1, 2, traffic).filter((t) => hasPorts || !("destinationNamedPort" in t || "namedPort" in t));
    return {
      action: r.pick(actions),
      [direction === "ingress" ? "from" : "to"]: peers,
      ...(r.oneIn(2) || ports.length === 0 ? {} : { [key]: ports }),
    };
  });
}

function clusterPolicy(r: Random, name: string, head: object, actions: readonly string[], key: "protocols" | "ports") {
  const traffic = () => (key === "ports" ? adminPort(r) : clusterProtocol(r));
  return {
    metadata: { name, ...audited(r) },
    spec: {
      ...head,
      subject: r.oneIn(2) ? { namespaces: namespaceSelector(r) } : { pods: pods(r) },
      ingress: clusterRules(r, "ingress", actions, key, traffic),
      egress: clusterRules(r, "egress", actions, key, traffic),
    },
  };
}

function pod(r: Random, i: number): object {
  const node = 1 + r.below(2);
  const isHost = r.oneIn(8);
  const ips = isHost
    ? [`192.168.77.1${node}`]
    : [`10.244.${node}.${2 + i}`, ...(r.oneIn(3) ? [] : [`fd00:10:244:${node}::${(2 + i).toString(16)}`])];
  return {
    metadata: { namespace: r.pick(NAMESPACES), name: `pod-${i}`, labels: labels(r) },
    spec: {
      nodeName: `node-${node}`,
      hostNetwork: isHost,
      containers: [
        {
          ports: r.list(0, 2, () => ({
            name: r.pick(PORT_NAMES),
            containerPort: r.pick(PORTS),
            protocol: r.pick(PROTOCOLS),
          })),
        },
      ],
    },
    status: { phase: r.oneIn(8) ? "Succeeded" : "Running", podIPs: ips.map((ip) => ({ ip })) },
  };
}

function node(i: number): object {
  return {
    metadata: { name: `node-${i}`, labels: { zone: i === 1 ? "a" : "b" } },
    spec: { podCIDRs: [`10.244.${i}.0/24`, `fd00:10:244:${i}::/64`] },
    status: {
      addresses: [
        { type: "InternalIP", address: `192.168.77.1${i}` },
        { type: "InternalIP", address: `fd00:77::1${i}` },
      ],
    },
  };
}

/** The cluster of a seed. */
export function generateCluster(seed: number): RawCluster {
  const r = createRandom(seed);
  // 1000 is where the kind without priority stands as well.
  const priority = () => (r.oneIn(5) ? 1000 : r.below(4));
  const decided = ["Accept", "Deny", "Pass"];
  const allowed = ["Allow", "Deny", "Pass"];
  return {
    nodes: [node(1), node(2)],
    namespaces: NAMESPACES.map((name) => ({ metadata: { name, labels: labels(r) } })),
    pods: Array.from({ length: 3 + r.below(5) }, (_, i) => pod(r, i)),
    networkPolicies: Array.from({ length: r.below(5) }, (_, i) => networkPolicy(r, i)),
    clusterPolicies: Array.from({ length: r.below(3) }, (_, i) =>
      clusterPolicy(
        r,
        `${r.pick(["cnp", "zone"])}-${i}`,
        { tier: r.pick(["Admin", "Baseline"]), priority: priority() },
        decided,
        "protocols",
      ),
    ),
    adminPolicies: Array.from({ length: r.below(2) }, (_, i) =>
      clusterPolicy(r, `anp-${i}`, { priority: priority() }, allowed, "ports"),
    ),
    baselinePolicies: r.oneIn(3) ? [clusterPolicy(r, "default", {}, ["Allow", "Deny"], "ports")] : [],
  };
}
