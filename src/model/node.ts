/** Nodes of the cluster, as far as networking is concerned (Kubernetes `v1` Node). */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import { type Prefix, parsePrefix } from "../net/prefix.ts";
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
  readonly internalIps: readonly Addr[];
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
  return out;
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
  return { internalIps, externalIps };
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

/** Reads a `v1` Node. Refused with all issues when a field that is used has a wrong value. */
export function parseNode(value: unknown, interner: Interner): Result<Node, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const spec = root.object("spec");
  const node: Node = {
    name: interner.string(metadata.requiredString("name")),
    uid: metadata.string("uid") ?? "",
    podCidrs: readPodCidrs(spec),
    ...readAddresses(root.object("status")),
    labels: metadata.labels("labels", interner),
    annotations: metadata.labels("annotations", interner),
    taints: readTaints(spec),
    hasNetwork: readHasNetwork(root.object("status")),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(node));
}
