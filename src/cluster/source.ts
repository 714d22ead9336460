/**
 * Where a node's agent learns of the cluster: a Kubernetes API (`kube/`) or a directory of YAML (`directory/`).
 *
 * A source keeps tables of validated objects. Who uses it reads snapshots and is told that something changed; nobody
 * but the source sees JSON. A lost connection keeps the last state, and says so in {@link SourceHealth}.
 */

import type { Issue } from "../base/issue.ts";
import type { CalicoIpPool } from "../model/calico-ip-pool.ts";
import type { ClusterConfiguration, NodeConfiguration } from "../model/configuration.ts";
import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { IpPool } from "../model/ip-pool.ts";
import type { LoadBalancerPool } from "../model/load-balancer-pool.ts";
import type { Namespace } from "../model/namespace.ts";
import type { Node } from "../model/node.ts";
import type { Pod } from "../model/pod.ts";
import type {
  CalicoHostEndpoint,
  CalicoNetworkSet,
  CalicoTier,
  StagedKubernetesNetworkPolicy,
} from "../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../model/policy/calico-policy.ts";
import type { CiliumCidrGroup, CiliumPolicy } from "../model/policy/cilium-policy.ts";
import type { ClusterNetworkPolicy } from "../model/policy/cluster-network-policy.ts";
import type { NetworkPolicy } from "../model/policy/network-policy.ts";
import type { Service } from "../model/service.ts";
import type { ServiceAccount } from "../model/service-account.ts";
import type { Snapshot } from "../store/store.ts";
import type { Reports } from "./reports.ts";

/** The tables of the cluster. Keys: an object's name, or `namespace/name` where it stands in one. */
export interface ClusterRows {
  readonly nodes: Node;
  readonly pods: Pod;
  readonly namespaces: Namespace;
  readonly networkPolicies: NetworkPolicy;
  readonly clusterNetworkPolicies: ClusterNetworkPolicy;
  readonly adminNetworkPolicies: ClusterNetworkPolicy;
  readonly baselineAdminNetworkPolicies: ClusterNetworkPolicy;
  readonly calicoTiers: CalicoTier;
  readonly networkSets: CalicoNetworkSet;
  readonly globalNetworkSets: CalicoNetworkSet;
  readonly hostEndpoints: CalicoHostEndpoint;
  readonly calicoNetworkPolicies: CalicoPolicy;
  readonly globalNetworkPolicies: CalicoPolicy;
  readonly stagedNetworkPolicies: CalicoPolicy;
  readonly stagedGlobalNetworkPolicies: CalicoPolicy;
  readonly stagedKubernetesNetworkPolicies: StagedKubernetesNetworkPolicy;
  readonly ciliumNetworkPolicies: CiliumPolicy;
  readonly ciliumClusterwideNetworkPolicies: CiliumPolicy;
  readonly ciliumCidrGroups: CiliumCidrGroup;
  readonly services: Service;
  readonly endpointSlices: EndpointSlice;
  readonly serviceAccounts: ServiceAccount;
  readonly clusterConfigurations: ClusterConfiguration;
  readonly nodeConfigurations: NodeConfiguration;
  readonly ipPools: IpPool;
  readonly loadBalancerPools: LoadBalancerPool;
  readonly ciliumLoadBalancerPools: LoadBalancerPool;
  readonly calicoIpPools: CalicoIpPool;
}

/** Names of the tables. */
export type ClusterTable = keyof ClusterRows;

/** The cluster as known at one revision. */
export type ClusterSnapshot = Snapshot<ClusterRows>;

/** An object that could not be read. Its last good version, if any, stays in the table. */
export interface ObjectProblem {
  readonly table: ClusterTable | undefined;
  /** Its key in the table; undefined: it could not be made out. */
  readonly key: string | undefined;
  /** Kind and key; for a directory `path#document`. */
  readonly subject: string;
  readonly issues: readonly Issue[];
}

/**
 * What became of a table. `waiting`: not answered yet. `absent`: the cluster serves no such kind, so there is nothing.
 * `forbidden`: the cluster does not let this agent see, so nobody knows what there is; rows of before stay.
 */
export type TableState = "waiting" | "known" | "absent" | "forbidden";

/** State of one watched table. */
export interface TableHealth {
  readonly table: ClusterTable;
  readonly state: TableState;
  /** Why it is absent or forbidden, in the API's words. */
  readonly reason: string | undefined;
  /** The first list is complete. Stays true when the connection is lost later. */
  readonly isSynced: boolean;
  /** Connected and following changes now. */
  readonly isLive: boolean;
  /** Unix time in milliseconds of the last answer, event or bookmark; undefined: none yet. */
  readonly lastHeardMs: number | undefined;
  /** Full lists taken, the first one included; each further one was forced by a gap. */
  readonly lists: number;
  readonly events: number;
}

/** What a source says about itself. */
export interface SourceHealth {
  readonly isSynced: boolean;
  /** All tables follow changes now. */
  readonly isLive: boolean;
  /** Milliseconds for which the stalest table has been without a live connection; 0 when all are live. */
  readonly lagMs: number;
  /** The last failure, kept until the source has been live again; undefined: all is well. */
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined;
  readonly tables: readonly TableHealth[];
  /** Objects that could not be read, at most 100. */
  readonly problems: readonly ObjectProblem[];
  /** All of them, also those beyond the 100. */
  readonly problemCount: number;
}

/** A condition of a node's status, as `NetworkUnavailable`. */
export interface NodeCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One CamelCase word. */
  readonly reason: string;
  readonly message: string;
}

/** A failed or refused request to the API. */
export class ClusterError extends Error {
  /** `Status.reason` of the API as `Conflict`, `NotFound`, `Forbidden`; `Unreachable`, `Timeout`, `ReadOnly` or `BadAnswer` else. */
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly httpStatus: number;
  /** Wait that the server asks for, milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, code: string, httpStatus: number, options?: ErrorOptions & { retryAfterMs?: number }) {
    super(message, options);
    this.name = "ClusterError";
    this.code = code;
    this.httpStatus = httpStatus;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** A source of cluster objects and the few things written back to it. */
export interface ClusterSource {
  /** For people, as `https://192.168.77.2:6443` or `dir:/etc/twill/objects`. */
  readonly description: string;
  /** Follows the cluster until the signal; resolves when all that it started has stopped. Call once. */
  run(signal: AbortSignal): Promise<void>;
  snapshot(): ClusterSnapshot;
  /** Called once for each batch of changes, and when a table becomes synced. Carries nothing. @returns removes the listener */
  onChange(listener: () => void): () => void;
  /** Follows these tables as well, from now on: those that only some policies ask for. */
  want(tables: Iterable<ClusterTable>): void;
  stateOf(table: ClusterTable): TableState;
  /** Whether every table that is followed from the start has been answered. */
  isSynced(): boolean;
  /** Resolves when synced. @throws the signal's reason when it is aborted before */
  whenSynced(signal: AbortSignal): Promise<void>;
  health(): SourceHealth;
  /** Of the objects whose status can be written; none where objects are files. */
  readonly reports: Pick<Reports, "all" | "version">;
  /** Sets or, by null, removes annotations of a node. @throws ClusterError */
  patchNodeAnnotations(
    node: string,
    annotations: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Takes the taints with a key from a node, whatever their effect; others stay. @throws ClusterError */
  removeNodeTaint(node: string, key: string, signal: AbortSignal): Promise<void>;
  /** Sets conditions of a node's status, each by its type; others stay. @throws ClusterError */
  patchNodeConditions(node: string, conditions: readonly NodeCondition[], signal: AbortSignal): Promise<void>;
}
