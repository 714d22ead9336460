/**
 * Calico's IPPool (`projectcalico.org/v3`, `crd.projectcalico.org/v1`): a pool that nodes' pod CIDRs are carved from, addresses for
 * load balancers, or both. What Twill has no notion of is said, and not followed.
 */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Family } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Interner } from "./intern.ts";
import { type IpPool, readPoolCidr } from "./ip-pool.ts";
import { type LoadBalancerPool, parseCalicoLoadBalancerPool } from "./load-balancer-pool.ts";
import { boundedStrings, readSelector } from "./policy/calico-read.ts";
import { choice } from "./policy/strict.ts";
import { type Reader, readObject } from "./read.ts";

/** See the file's comment. */
export interface CalicoIpPool {
  readonly name: string;
  /** undefined: no node is given CIDRs of it. */
  readonly nodes: IpPool | undefined;
  /** Without ranges where it is not for load balancers. */
  readonly loadBalancer: LoadBalancerPool;
  /** What is not followed, and what is done instead. */
  readonly notes: readonly Issue[];
}

/** As Calico bounds and defaults `blockSize`. */
const BLOCKS: Readonly<Record<Family, { readonly min: number; readonly max: number; readonly usual: number }>> = {
  4: { min: 20, max: 32, usual: 26 },
  6: { min: 116, max: 128, usual: 122 },
};
const MODES = ["Always", "CrossSubnet", "Never"] as const;
const USES = ["Workload", "Tunnel", "HostSecondaryInterface", "LoadBalancer"] as const;
const READ: readonly string[] = [
  "cidr",
  "blockSize",
  "ipipMode",
  "vxlanMode",
  "natOutgoing",
  "disabled",
  "disableBGPExport",
  "nodeSelector",
  "namespaceSelector",
  "allowedUses",
  "assignmentMode",
];

function readUses(spec: Reader): readonly string[] {
  const uses = boundedStrings(spec, "allowedUses", USES.length);
  for (const [i, use] of uses.entries())
    if (!USES.some((u) => u === use)) spec.issue(`allowedUses[${i}]`, `"${use}" is none of ${USES.join(", ")}`);
  return uses.length === 0 ? ["Workload", "Tunnel"] : uses;
}

/** What of it is not followed by nodes. */
function notesOf(spec: Reader, blockSize: number | undefined, family: Family | undefined): Issue[] {
  const notes: Issue[] = [];
  const note = (key: string, message: string) => notes.push({ path: `spec.${key}`, message });
  const [ipip, vxlan] = [choice(spec, "ipipMode", MODES) ?? "Never", choice(spec, "vxlanMode", MODES) ?? "Never"];
  if (ipip !== "Never") note("ipipMode", `${ipip}: packets to other nodes go by VXLAN`);
  else if (vxlan !== "Always") note("vxlanMode", `${vxlan}: all packets to pods of other nodes go by VXLAN`);
  if (spec.boolean("natOutgoing") !== true)
    note("natOutgoing", "false: whether pods are masqueraded is said for all pools together, by masquerade.enabled");
  if (blockSize !== undefined && family !== undefined && blockSize !== BLOCKS[family].usual)
    note("blockSize", `${blockSize}: a node has one block for its life, of nodeMaskSize or larger`);
  const namespaces = readSelector(spec, "namespaceSelector");
  if (namespaces !== undefined && namespaces.op !== "all")
    note("namespaceSelector", "A node's addresses are for pods of all namespaces");
  return notes;
}

function readNodePool(root: Reader, spec: Reader, cidr: Prefix, interner: Interner, block: number | undefined): IpPool {
  const metadata = root.object("metadata");
  const selector = readSelector(spec, "nodeSelector");
  return {
    name: interner.string(metadata?.requiredString("name") ?? ""),
    kind: "Calico IPPool",
    createdAt: metadata?.string("creationTimestamp") ?? "",
    cidr,
    nodeLength: undefined,
    blockLength: block,
    selector: selector?.op === "all" ? undefined : selector,
    isDisabled: spec.boolean("disabled") ?? false,
    reserved: [],
  };
}

/** Reads it. What cannot be what it says is an issue; what is only not followed is a note. */
export function parseCalicoIpPool(value: unknown, interner: Interner): Result<CalicoIpPool, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const spec = root.object("spec") ?? readObject({}, issues, "spec");
  const uses = readUses(spec);
  const mode = choice(spec, "assignmentMode", ["Automatic", "Manual"] as const) ?? "Automatic";
  const name = interner.string(root.object("metadata")?.requiredString("name") ?? "");
  const loadBalancer = parseCalicoLoadBalancerPool(value);
  const notes: Issue[] = spec
    .keys()
    .filter((key) => !READ.includes(key))
    .map((key) => ({ path: `spec.${key}`, message: "Not known to Twill" }));
  if (uses.includes("HostSecondaryInterface"))
    notes.push({ path: "spec.allowedUses", message: "HostSecondaryInterface: nodes' interfaces are left alone" });
  let nodes: IpPool | undefined;
  if (uses.includes("Workload")) {
    const cidr = readPoolCidr(spec);
    const block = cidr && spec.integer("blockSize", BLOCKS[cidr.family].min, BLOCKS[cidr.family].max);
    notes.push(...notesOf(spec, block, cidr?.family));
    if (cidr !== undefined) nodes = readNodePool(root, spec, cidr, interner, block);
    if (mode === "Manual") {
      nodes = undefined;
      notes.push({ path: "spec.assignmentMode", message: "Manual: no node is given CIDRs of it" });
    }
  }
  if (!loadBalancer.ok && issues.length === 0) issues.push(...loadBalancer.error);
  if (issues.length > 0 || !loadBalancer.ok) return err(issues);
  return ok(Object.freeze({ name, nodes, loadBalancer: loadBalancer.value, notes }));
}
