/**
 * One rule set in the words of everybody who enforces it: so many pairs of a source and a TCP port that may reach a server,
 * and nobody else. The last rule is the one that the measured client needs.
 */

import { inNetns, run } from "../../test/fixture/sandbox.ts";

/** One rule. */
export interface SourceRule {
  readonly source: string;
  /** TCP, first and last port. */
  readonly ports: readonly [number, number];
}

/** Different port ranges. */
const RANGES = 50;

/** @param client address of who is measured; it may reach all ports that servers listen on */
export function makeRules(count: number, client: string): SourceRule[] {
  const others = Array.from({ length: count - 1 }, (_, i): SourceRule => {
    const first = 20_000 + 100 * (i % RANGES);
    return { source: `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, ports: [first, first + 9] };
  });
  return [...others, { source: client, ports: [5000, 5009] }];
}

/** As NetworkPolicies of a namespace, a hundred rules in each. */
export function asNetworkPolicies(rules: readonly SourceRule[], namespace: string, app: string): object[] {
  const groups = Array.from({ length: Math.ceil(rules.length / 100) }, (_, i) => rules.slice(100 * i, 100 * i + 100));
  return groups.map((group, i) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { namespace, name: `rules-${i}` },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ["Ingress"],
      ingress: group.map(({ source, ports: [port, endPort] }) => ({
        from: [{ ipBlock: { cidr: `${source}/32` } }],
        ports: [{ protocol: "TCP", port, endPort }],
      })),
    },
  }));
}

/** Puts the rules into the forwarding of a namespace. @returns milliseconds of the program that loads them */
export type Loader = (netns: string, rules: readonly SourceRule[], server: string) => number;

function timed(netns: string, argv: readonly string[], input: string): number {
  const start = performance.now();
  run(inNetns(netns, argv), { input });
  return performance.now() - start;
}

function iptables(chain: readonly string[], server: string): string {
  return [
    "*filter",
    ":FORWARD ACCEPT [0:0]",
    ":TO_POD - [0:0]",
    "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    `-A FORWARD -d ${server} -j TO_POD`,
    ...chain.map((rule) => `-A TO_POD ${rule}`),
    "-A TO_POD -j DROP",
    "COMMIT",
    "",
  ].join("\n");
}

const linear = (rules: readonly SourceRule[]) =>
  rules.map(({ source, ports }) => `-s ${source}/32 -p tcp --dport ${ports.join(":")} -j ACCEPT`);

function byPorts(rules: readonly SourceRule[]): [string, SourceRule[]][] {
  return [...Map.groupBy(rules, (r) => r.ports.join(":"))];
}

function withIpset(netns: string, rules: readonly SourceRule[], server: string): number {
  const groups = byPorts(rules);
  const sets = groups.flatMap(([, of], i) => [
    `create s${i} hash:ip maxelem 65536`,
    ...of.map(({ source }) => `add s${i} ${source}`),
  ]);
  const chain = groups.map(([ports], i) => `-m set --match-set s${i} src -p tcp --dport ${ports} -j ACCEPT`);
  const loaded = timed(netns, ["ipset", "restore"], `${sets.join("\n")}\n`);
  return loaded + timed(netns, ["iptables-legacy-restore"], iptables(chain, server));
}

function nft(server: string, sets: readonly string[], chain: readonly string[]): string {
  return [
    "table ip rules {",
    ...sets,
    "chain to_pod {",
    ...chain,
    "drop",
    "}",
    "chain forward {",
    "type filter hook forward priority 0; policy accept;",
    "ct state established,related accept",
    `ip daddr ${server} jump to_pod`,
    "}",
    "}",
    "",
  ].join("\n");
}

function nftLinear(netns: string, rules: readonly SourceRule[], server: string): number {
  const chain = rules.map(({ source, ports }) => `ip saddr ${source} tcp dport ${ports.join("-")} accept`);
  return timed(netns, ["nft", "-f", "-"], nft(server, [], chain));
}

function nftSets(netns: string, rules: readonly SourceRule[], server: string): number {
  const sets = byPorts(rules).map(([ports, of], i) => ({
    text: `set s${i} { type ipv4_addr; elements = { ${of.map((r) => r.source).join(", ")} } }`,
    rule: `ip saddr @s${i} tcp dport ${ports.replace(":", "-")} accept`,
  }));
  return timed(
    netns,
    ["nft", "-f", "-"],
    nft(
      server,
      sets.map((s) => s.text),
      sets.map((s) => s.rule),
    ),
  );
}

/** Everybody by name: set-less rules as kube-proxy's and Calico's iptables have them, and with sets as kube-router has. */
export const LOADERS: Readonly<Record<string, Loader>> = {
  iptables: (netns, rules, server) => timed(netns, ["iptables-legacy-restore"], iptables(linear(rules), server)),
  "iptables+ipset": withIpset,
  nft: nftLinear,
  "nft+sets": nftSets,
};
