/** Nodes of the cluster, as far as networking is concerned (Kubernetes `v1` Node). */

import { exact } from "../base/exact.ts";
import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrEqual, parseAddr } from "../net/addr.ts";
import { type Prefix, parsePrefix, prefixCovers } from "../net/prefix.ts";
import type { Interner, Labels } from "./intern.ts";
import { type Reader, readObject } from "./read.ts";

/** What keeps pods that do not tolerate it away from a node. */
export interface Taint {
  readonly key: string;
  /** `""` where none is given. */
  readonly value: string;
  /** `NoSchedule`, `PreferNoSchedule` or `NoExecute`. */
  readonly effect: string;
}

/** A node. `name` is its key. */
export interface Node {
  readonly name: string;
  /** `""` for a node from a directory of YAML. */
  readonly uid: string;
  /** At most one of each family, in the order of `spec.podCIDRs`. */
  readonly podCidrs: readonly Prefix[];
  /** Of IPPools that these were given of, whether or not the pools are still there. */
  readonly poolCidrs: readonly Prefix[];
  /** Those by which other nodes reach it: what its agent announced, then the InternalIPs. The first of a family counts. */
  readonly internalIps: readonly Addr[];
  /** The InternalIPs alone. */
  readonly reportedIps: readonly Addr[];
  readonly externalIps: readonly Addr[];
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly taints: readonly Taint[];
  /** Its condition `NetworkUnavailable` says "False". */
  readonly hasNetwork: boolean;
}

function readPodCidrs(spec: Reader | undefined): Prefix[] {
  if (spec === undefined) return [];
  const many = spec.strings("podCIDRs");
  const one = spec.string("podCIDR");
  const texts = many.length > 0 ? many : one !== undefined && one !== "" ? [one] : [];
  const out: Prefix[] = [];
  for (const text of texts) {
    const p = parsePrefix(text);
    if (!p.ok) spec.issue("podCIDRs", p.error);
    else if (out.some((o) => o.family === p.value.family))
      spec.issue("podCIDRs", `"${text}" is a second IPv${p.value.family} CIDR: at most one of each family is allowed`);
    else out.push(p.value);
  }
  return exact(out);
}

function readAddresses(status: Reader | undefined): { internalIps: Addr[]; externalIps: Addr[] } {
  const internalIps: Addr[] = [];
  const externalIps: Addr[] = [];
  for (const entry of status?.objects("addresses") ?? []) {
    const type = entry.requiredString("type");
    // Hostname, InternalDNS and ExternalDNS are names: nothing here uses them.
    if (type !== "InternalIP" && type !== "ExternalIP") continue;
    const a = parseAddr(entry.requiredString("address"));
    if (!a.ok) entry.issue("address", a.error);
    else (type === "InternalIP" ? internalIps : externalIps).push(a.value);
  }
  return { internalIps: exact(internalIps), externalIps: exact(externalIps) };
}

function readTaints(spec: Reader | undefined): Taint[] {
  return (spec?.objects("taints") ?? []).map((t) => ({
    key: t.requiredString("key"),
    value: t.string("value") ?? "",
    effect: t.requiredString("effect"),
  }));
}

function readHasNetwork(status: Reader | undefined): boolean {
  return (status?.objects("conditions") ?? []).some(
    (c) => c.string("type") === "NetworkUnavailable" && c.string("status") === "False",
  );
}

/** Where an agent announces by which addresses its node is reached, if not by its InternalIPs: at most one of a family. */
export const ADDRESSES_ANNOTATION = "twill.dev/node-addresses";

/** The annotation's addresses; what is not one says nothing. */
export function announcedAddrs(annotations: Labels): readonly Addr[] {
  const text = annotations.get(ADDRESSES_ANNOTATION) ?? "";
  const addrs = text.split(",").flatMap((part) => {
    const a = parseAddr(part.trim());
    return a.ok ? [a.value] : [];
  });
  return ([4, 6] as const).flatMap((family) => addrs.find((a) => a.family === family) ?? []);
}

/** Where the leader says of which IPPools a node's pod CIDRs are: what was given stays part of the cluster, whatever becomes of the pools. */
export const POOLS_ANNOTATION = "twill.dev/pod-cidr-pools";

/** The annotation's prefixes, as far as pod CIDRs lie in them. */
function readPoolCidrs(annotations: Labels, podCidrs: readonly Prefix[]): readonly Prefix[] {
  const parts = (annotations.get(POOLS_ANNOTATION) ?? "").split(",", 2 * podCidrs.length);
  const found = parts.flatMap((part) => {
    const p = parsePrefix(part.trim());
    return p.ok && podCidrs.some((c) => prefixCovers(p.value, c)) ? [p.value] : [];
  });
  return found.length === 0 ? NO_CIDRS : found;
}

const NO_CIDRS: readonly Prefix[] = [];

/** In front of those of their family: which family comes first stays as it was. */
function withAnnounced(internalIps: readonly Addr[], announced: readonly Addr[]): readonly Addr[] {
  let all = internalIps;
  for (const a of announced) {
    const others = all.filter((x) => !addrEqual(x, a));
    const at = all.findIndex((x) => x.family === a.family);
    all = at < 0 ? [...all, a] : [...others.slice(0, at), a, ...others.slice(at)];
  }
  return all;
}

/** Reads a `v1` Node. Refused with all issues when a field that is used has a wrong value. */
export function parseNode(value: unknown, interner: Interner): Result<Node, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const spec = root.object("spec");
  const annotations = metadata.labels("annotations", interner);
  const podCidrs = readPodCidrs(spec);
  const { internalIps, externalIps } = readAddresses(root.object("status"));
  const node: Node = {
    name: interner.string(metadata.requiredString("name")),
    uid: metadata.string("uid") ?? "",
    podCidrs,
    poolCidrs: readPoolCidrs(annotations, podCidrs),
    internalIps: withAnnounced(internalIps, announcedAddrs(annotations)),
    reportedIps: internalIps,
    externalIps,
    labels: metadata.labels("labels", interner),
    annotations,
    taints: readTaints(spec),
    hasNetwork: readHasNetwork(root.object("status")),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(node));
}
