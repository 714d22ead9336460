/** How policy stands on this node: whether it is applied, how much of it there is, and which pods are closed and why. */

import type { ClusterTable, ObjectProblem } from "../../cluster/source.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { POLICY_MAPS } from "../../plan/policy-rows.ts";
import { refKey } from "../../policy/order.ts";
import type { Direction } from "../../policy/rule.ts";
import { endpointName } from "./event-names.ts";
import type { PolicyState } from "./policy-engine.ts";

/** An endpoint that nothing passes in some direction, whatever its policies say. */
export interface ClosedEndpoint {
  /** Number of an attachment; `host N` of the node itself, at its device N. */
  readonly key: string;
  /** `namespace/name` of a pod, or its container; of the node which device. */
  readonly name: string;
  /** `unknown`: nobody knows which policies select it. `overflow`: its rules have no room in the tables. */
  readonly why: "unknown" | "overflow";
  readonly directions: readonly Direction[];
  /** In words. */
  readonly reason: string;
}

/** How full a table is. */
export interface TableFill {
  /** As the map is called. */
  readonly table: string;
  readonly rows: number;
  /** Half of the map: a class that does not fit in is closed. */
  readonly limit: number;
}

/** See the file's comment. */
export interface PolicyStatus {
  /** What the cluster's policies say is what the kernel does. */
  readonly isReady: boolean;
  /** Why it is not. */
  readonly problem: string | undefined;
  /** Objects of all dialects, those included that select no pod of this node. */
  readonly policies: number;
  /** Those of them that are only counted and logged. */
  readonly staged: number;
  /** Objects of policy that could not be read; of those that were read before, what they said then is in force. At most 100. */
  readonly refused: number;
  /** Rules, ends of tiers and classes that pods of this node are under. */
  readonly rules: number;
  readonly classes: number;
  /** Sets of addresses that rules tell apart. */
  readonly identities: number;
  /** What is full first; empty while policy is not known. */
  readonly tables: readonly TableFill[];
  /** Changes that wrote something, and the time of the last one. */
  readonly changes: number;
  readonly lastChangeMs: number;
  readonly closed: readonly ClosedEndpoint[];
  /** Pods whose start waits until the cluster shows them: `namespace/name`. */
  readonly waiting: readonly string[];
}

/** What a status is made from. */
export interface PolicySources {
  /** undefined: policy is not known yet. */
  readonly state: PolicyState | undefined;
  /** Why the last change could not be applied. */
  readonly problem: string | undefined;
  /** Where objects come from, for people. */
  readonly source: string;
  readonly endpoints: readonly Endpoint[];
  /** Objects that could not be read. */
  readonly problems: readonly ObjectProblem[];
  readonly waiting: Iterable<string>;
}

/** Tables whose objects are no policy's. */
const NO_POLICY: ReadonlySet<ClusterTable> = new Set<ClusterTable>([
  "nodes",
  "pods",
  "namespaces",
  "services",
  "endpointSlices",
  "serviceAccounts",
]);

const BOTH = ["ingress", "egress"] as const;

/** Endpoints that are closed, whatever their policies say. */
export function closedEndpoints(
  state: Pick<PolicyState, "tables" | "unknown">,
  endpoints: readonly Endpoint[],
): ClosedEndpoint[] {
  const { overflow, endpoints: classed } = state.tables;
  const names = new Map(endpoints.map((e) => [`${e.id}`, endpointName(e)]));
  const unknown = state.unknown.map((id): ClosedEndpoint => {
    const key = `${id}`;
    const name = names.get(key) ?? `endpoint ${key}`;
    return {
      key,
      name,
      why: "unknown",
      directions: BOTH,
      reason: "The cluster does not show the pod, or not its namespace",
    };
  });
  const full = [...(overflow.size === 0 ? [] : classed)].flatMap(([key, classes]): ClosedEndpoint[] => {
    const name = names.get(key) ?? hostName(key);
    const directions = BOTH.filter((d) => overflow.has(classes[d]));
    const [first] = directions;
    if (name === undefined || first === undefined) return [];
    return [{ key, name, why: "overflow", directions, reason: overflow.get(classes[first]) ?? "" }];
  });
  return [...unknown, ...full];
}

/** undefined: the key is not the node's. Classes are also kept for pods that have not come yet: nobody is closed by those. */
function hostName(key: string): string | undefined {
  return key.startsWith("host ") ? `the node itself (${key})` : undefined;
}

function sizeOf(rows: ReadonlyMap<unknown, { readonly length: number } | { readonly size: number }>): number {
  let size = 0;
  for (const row of rows.values()) size += "size" in row ? row.size : row.length;
  return size;
}

function tableFills({ tables, limits, identityRows }: PolicyState): TableFill[] {
  return [
    { table: POLICY_MAPS.sets, rows: sizeOf(tables.sets), limit: limits.setRows },
    { table: POLICY_MAPS.peers, rows: sizeOf(tables.peers), limit: limits.peerRows },
    { table: POLICY_MAPS.identities, rows: identityRows, limit: limits.identityRows },
    { table: POLICY_MAPS.classes, rows: tables.classes.size, limit: limits.classes },
  ];
}

/** The status. Walks the tables: not for a hot path. */
export function policyStatus({ state, problem, source, endpoints, problems, waiting }: PolicySources): PolicyStatus {
  const policies = [...(state?.policies ?? [])];
  const objects = new Set(policies.map((p) => refKey(p.ref)));
  const enforced = new Set(policies.filter((p) => p.mode === "enforce").map((p) => refKey(p.ref)));
  const tables = state?.tables;
  const unknown = `${source} has not said yet what policies there are: what an earlier agent wrote stays in force`;
  return {
    isReady: state !== undefined && problem === undefined,
    problem: problem ?? (state === undefined ? unknown : undefined),
    policies: objects.size,
    staged: objects.size - enforced.size,
    refused: problems.filter((p) => p.table !== undefined && !NO_POLICY.has(p.table)).length,
    rules: tables?.rules.size ?? 0,
    classes: tables?.classes.size ?? 0,
    identities: tables?.identities.size ?? 0,
    tables: state === undefined ? [] : tableFills(state),
    changes: state?.changes ?? 0,
    lastChangeMs: state?.lastChangeMs ?? 0,
    closed: state === undefined ? [] : closedEndpoints(state, endpoints),
    waiting: [...waiting],
  };
}
