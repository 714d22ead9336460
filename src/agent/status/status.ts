/** What an agent says about itself and its node: the body of `GET /v1/status`, the input of `twill status`. */

import type { Issue } from "../../base/issue.ts";
import type { EventCounts } from "../events/event-watch.ts";
import type { PolicyStatus } from "../policy/policy-status.ts";
import type { TableStatus } from "../reconcile/status.ts";
import type { ServiceStatus } from "../service/service-status.ts";

/** One map of the data plane. */
export interface MapStatus {
  readonly name: string;
  readonly type: string;
  /** undefined: not counted yet, or a kind that has no entries. */
  readonly entries: number | undefined;
  readonly maxEntries: number;
}

/** Packets that the programs counted under one name. */
export interface PacketCount {
  /** As `forward_local` or `drop_no_route`. */
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
}

/** What sockets asked and were told, as the programs on them counted it under one name. */
export interface SocketCount {
  /** As `connected` or `refused`: `enum sock_metric`. */
  readonly name: string;
  readonly times: number;
}

/** A pool of addresses; figures as decimal text, since an IPv6 pool has more than a number holds. */
export interface PoolStatus {
  readonly pool: string;
  readonly prefix: string;
  readonly usable: string;
  readonly used: string;
  readonly cooling: string;
  readonly free: string;
}

/** A node of the cluster as this node reaches it. */
export interface NodeStatus {
  readonly name: string;
  readonly isSelf: boolean;
  readonly internalIps: readonly string[];
  readonly podCidrs: readonly string[];
  /** Address that its pods are reached through; undefined: none. */
  readonly tunnel: string | undefined;
  /** Number in the maps; undefined: none. */
  readonly nodeId: number | undefined;
}

/** A pod's attachment. */
export interface EndpointStatus {
  readonly id: number;
  readonly state: string;
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** `namespace/name`; undefined where the runtime named none. */
  readonly pod: string | undefined;
  readonly addrs: readonly string[];
  readonly mac: string;
  readonly hostIfname: string;
  readonly hostIfindex: number | undefined;
  readonly netnsPath: string;
  readonly mtuBytes: number;
  readonly createdAtMs: number;
}

/** The agent's connection to the objects of the cluster. */
export interface ClusterStatus {
  readonly source: string;
  readonly isSynced: boolean;
  /** Kinds that this agent is not allowed to see, with the API's words: policies of them are not applied. */
  readonly forbidden: readonly string[];
  /** Kinds that the API does not serve. */
  readonly absent: readonly string[];
  readonly isLive: boolean;
  readonly lagMs: number;
  readonly lastError: string | undefined;
  /** Objects that could not be read. */
  readonly problems: readonly string[];
}

/** The underlay as the agent found it. */
export interface UnderlayStatus {
  readonly devices: readonly { readonly name: string; readonly mtuBytes: number }[];
  readonly family: 4 | 6;
  readonly podMtuBytes: number;
  readonly masqueradeV4: string | undefined;
  readonly masqueradeV6: string | undefined;
}

/** The reconciler's last run. */
export interface ReconcileStatus {
  readonly runs: number;
  /** Wall clock of its end, milliseconds; undefined: none yet. */
  readonly lastRunMs: number | undefined;
  readonly lastDurationMs: number;
  readonly failing: number;
  /** Rows put back since the start because somebody else had changed them. */
  readonly drifted: number;
  readonly tables: readonly TableStatus[];
}

/** What the data plane told, since the agent's start. */
export interface EventStatus extends Omit<EventCounts, "taken"> {
  /** By kind. */
  readonly taken: Readonly<Record<string, number>>;
}

/** Everything. */
export interface AgentStatus {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly isReady: boolean;
  /** Why pods cannot be attached now; empty when they can. */
  readonly notReady: readonly string[];
  /** What is not right but does not keep pods from being attached. */
  readonly issues: readonly Issue[];
  /** Tag of the loaded programs. */
  readonly programs: string | undefined;
  readonly cluster: ClusterStatus;
  readonly underlay: UnderlayStatus | undefined;
  readonly reconcile: ReconcileStatus;
  readonly pools: readonly PoolStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly endpoints: { readonly total: number; readonly byState: Readonly<Record<string, number>> };
  readonly policy: PolicyStatus;
  readonly services: ServiceStatus;
  readonly events: EventStatus;
  readonly maps: readonly MapStatus[];
  readonly packets: readonly PacketCount[];
  readonly sockets: readonly SocketCount[];
}
