/** What the demonstration asks of the network: Kubernetes' model as a list of probes with what must come of each. Pure. */

import type { ProbeResult, ProbeSpec } from "../probe/probe.ts";

/** A pod of the demonstration. */
export interface DemoPod {
  readonly name: string;
  readonly node: string;
  readonly netns: string;
  readonly addresses: readonly string[];
}

/** A node or the outside host. */
export interface DemoHost {
  readonly name: string;
  readonly netns: string;
  readonly addresses: readonly string[];
}

/** Who takes part. */
export interface DemoCast {
  readonly pods: readonly DemoPod[];
  readonly nodes: readonly DemoHost[];
  readonly outside: DemoHost;
  /** MTU of the pods' devices. */
  readonly mtuBytes: number;
}

/** Ports that everybody in the demonstration serves. */
export const DEMO_PORTS = { tcp: 80, udp: 81 } as const;

/** One kind of traffic: a column of the table. */
export interface Column {
  readonly key: string;
  readonly protocol: ProbeSpec["protocol"];
  /** Words under the protocol; empty for the smallest packet. */
  readonly size: string;
  readonly sizeBytes: (family: 4 | 6, mtuBytes: number) => number | undefined;
  readonly fragment?: ProbeSpec["fragment"];
}

const FRAGMENTED_BYTES = 4_000;
const BULK_BYTES = 256 << 10;
/** IP header and the 8 bytes of UDP or ICMP. */
const overhead = (family: 4 | 6) => (family === 4 ? 28 : 48);
const fullSize = (family: 4 | 6, mtu: number) => mtu - overhead(family);
const small = () => undefined;

/** The columns, for each family. */
export const COLUMNS: readonly Column[] = [
  { key: "tcp", protocol: "TCP", size: "", sizeBytes: small },
  { key: "tcp-bulk", protocol: "TCP", size: "256K", sizeBytes: () => BULK_BYTES },
  { key: "udp", protocol: "UDP", size: "", sizeBytes: small },
  { key: "udp-mtu", protocol: "UDP", size: "MTU", sizeBytes: fullSize, fragment: "never" },
  { key: "udp-fragments", protocol: "UDP", size: "frag", sizeBytes: () => FRAGMENTED_BYTES, fragment: "allowed" },
  { key: "icmp", protocol: "ICMP", size: "", sizeBytes: small },
  { key: "icmp-mtu", protocol: "ICMP", size: "MTU", sizeBytes: fullSize, fragment: "never" },
  { key: "icmp-fragments", protocol: "ICMP", size: "frag", sizeBytes: () => FRAGMENTED_BYTES, fragment: "allowed" },
];

/** Rows of the table, in its order, with what the server must see of the client. */
export const GROUPS = [
  { key: "pod-pod-same-node", title: "pod → pod, same node", sees: "the pod's own address" },
  { key: "pod-pod-other-node", title: "pod → pod, other node", sees: "the pod's own address" },
  { key: "node-own-pod", title: "node → its own pods", sees: "the node" },
  { key: "node-other-pod", title: "node → pods of other nodes", sees: "the node" },
  { key: "pod-own-node", title: "pod → its own node", sees: "the pod's own address" },
  { key: "pod-other-node", title: "pod → other nodes", sees: "the pod's own address" },
  { key: "pod-outside", title: "pod → outside", sees: "the node's address" },
] as const;

/** Key of a row. */
export type GroupKey = (typeof GROUPS)[number]["key"];

/** One probe and what must come of it. */
export interface Check {
  readonly group: GroupKey;
  readonly column: Column;
  readonly family: 4 | 6;
  readonly from: string;
  readonly to: string;
  readonly probe: ProbeSpec;
  /** Name that the server must give. */
  readonly server: string;
  /** Address that the server must see; undefined: the client's own, whichever it chose. */
  readonly seen: string | undefined;
}

/** A check that failed, in words. */
export interface Failure {
  readonly group: GroupKey;
  readonly column: string;
  readonly family: 4 | 6;
  readonly text: string;
}

function inFamily(addresses: readonly string[], family: 4 | 6): string | undefined {
  return addresses.find((a) => a.includes(":") === (family === 6));
}

type Ends = {
  readonly group: GroupKey;
  readonly from: DemoHost;
  readonly to: DemoHost;
  readonly seenAs: DemoHost | undefined;
};

function allEnds(cast: DemoCast): Ends[] {
  const out: Ends[] = [];
  const nodeOf = (pod: DemoPod) => cast.nodes.find((n) => n.name === pod.node);
  for (const from of cast.pods) {
    for (const to of cast.pods) {
      if (to === from) continue;
      out.push({ group: to.node === from.node ? "pod-pod-same-node" : "pod-pod-other-node", from, to, seenAs: from });
    }
    for (const to of cast.nodes)
      out.push({ group: to.name === from.node ? "pod-own-node" : "pod-other-node", from, to, seenAs: from });
    out.push({ group: "pod-outside", from, to: cast.outside, seenAs: nodeOf(from) });
  }
  for (const from of cast.nodes) {
    for (const to of cast.pods)
      out.push({ group: to.node === from.name ? "node-own-pod" : "node-other-pod", from, to, seenAs: undefined });
  }
  return out;
}

/** Every probe of the demonstration. */
export function planChecks(cast: DemoCast, timeoutMs: number): Check[] {
  const checks: Check[] = [];
  for (const { group, from, to, seenAs } of allEnds(cast)) {
    for (const family of [4, 6] as const) {
      const address = inFamily(to.addresses, family);
      const seen = seenAs === undefined ? undefined : inFamily(seenAs.addresses, family);
      // Whoever lacks the family cannot send in it, nor lend an address for it.
      const isPossible = inFamily(from.addresses, family) !== undefined && (seenAs === undefined || seen !== undefined);
      if (address === undefined || !isPossible) continue;
      for (const column of COLUMNS) {
        const sizeBytes = column.sizeBytes(family, cast.mtuBytes);
        const probe: ProbeSpec = {
          netns: from.netns,
          protocol: column.protocol,
          to: address,
          port: column.protocol === "TCP" ? DEMO_PORTS.tcp : DEMO_PORTS.udp,
          timeoutMs,
          ...(sizeBytes === undefined ? {} : { sizeBytes }),
          ...(column.fragment === undefined ? {} : { fragment: column.fragment }),
        };
        checks.push({ group, column, family, from: from.name, to: to.name, probe, server: to.name, seen });
      }
    }
  }
  return checks;
}

/** What is wrong with a result; undefined: nothing. */
export function judge(check: Check, result: ProbeResult): string | undefined {
  if (result.verdict === "timeout") return "no answer";
  if (result.verdict === "refused") return `refused (${result.reason})`;
  if (check.column.protocol === "ICMP") return undefined;
  if (result.server !== check.server) return `answered by "${result.server}" instead of "${check.server}"`;
  const wanted = check.seen ?? result.ownAddress;
  if (result.seenAddress !== wanted) return `the server sees ${result.seenAddress} instead of ${wanted}`;
  return undefined;
}

/** A failure as a sentence. */
export function describeFailure(check: Check, why: string): Failure {
  const size = check.probe.sizeBytes === undefined ? "" : ` with ${check.probe.sizeBytes} bytes`;
  const words = { never: ", never fragmented", allowed: ", in fragments" };
  const how = check.probe.fragment === undefined ? "" : words[check.probe.fragment];
  const port = check.probe.protocol === "ICMP" ? "ICMP echo" : `${check.probe.protocol} port ${check.probe.port}`;
  return {
    group: check.group,
    column: check.column.key,
    family: check.family,
    text: `${check.from} → ${check.to} (${check.probe.to}), ${port}${size}${how}: ${why}`,
  };
}
