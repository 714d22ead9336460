/** The leader's calls on a Kubernetes API. */

import { formatIssues } from "../../base/issue.ts";
import { createInterner } from "../../model/intern.ts";
import { type Node, POOLS_ANNOTATION, parseNode } from "../../model/node.ts";
import type { LeaderApi, LeaseState, LeaseWrite } from "../leader-api.ts";
import { ClusterError } from "../source.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { ConnectionConfig } from "./credentials.ts";

/** Where the Lease is and how to reach it. */
export interface LeaderApiOptions {
  readonly config: ConnectionConfig;
  readonly userAgent: string;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
}

const PAGE = 500;
/** Most pages of a list: an API that never ends its list must not hold the leader. */
const MAX_PAGES = 100;

interface LeaseJson {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly leaseTransitions?: number | null;
  };
}

function leaseOf(json: unknown): LeaseState {
  const { metadata, spec } = json as LeaseJson;
  return {
    version: metadata?.resourceVersion ?? "",
    holder: spec?.holderIdentity ?? "",
    durationSeconds: spec?.leaseDurationSeconds ?? 15,
    transitions: spec?.leaseTransitions ?? 0,
  };
}

function hasStatus(error: unknown, ...statuses: number[]): boolean {
  return error instanceof ClusterError && statuses.includes(error.httpStatus);
}

async function listNodes(connection: Connection, signal: AbortSignal): Promise<Node[]> {
  const interner = createInterner();
  const nodes: Node[] = [];
  let token = "";
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = `/api/v1/nodes?limit=${PAGE}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`;
    const list = (await connection.json({ method: "GET", path, signal })) as {
      readonly metadata?: { readonly continue?: string };
      readonly items?: readonly unknown[];
    };
    for (const item of list.items ?? []) {
      const node = parseNode(item, interner);
      if (!node.ok) throw new ClusterError(`Cannot read a node: ${formatIssues(node.error)}`, "BadAnswer", 0);
      nodes.push(node.value);
    }
    token = list.metadata?.continue ?? "";
    if (token === "") return nodes;
  }
  throw new ClusterError(`Cannot list all nodes: more than ${MAX_PAGES * PAGE}`, "BadAnswer", 0);
}

/** Opens its own connection; dispose it. */
export function createKubeLeaderApi(options: LeaderApiOptions): LeaderApi {
  const connection = createConnection(options.config, { userAgent: options.userAgent });
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  const path = `${collection}/${options.name}`;

  function leaseBody(write: LeaseWrite, version: string | undefined): object {
    const metadata = { name: options.name, namespace: options.namespace };
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: version === undefined ? metadata : { ...metadata, resourceVersion: version },
      spec: {
        holderIdentity: write.holder,
        leaseDurationSeconds: write.durationSeconds,
        leaseTransitions: write.transitions,
        // MicroTime: six digits of a second.
        renewTime: new Date().toISOString().replace(/\.(\d{3})Z$/, ".$1000Z"),
      },
    };
  }

  return {
    async readLease(signal) {
      try {
        return leaseOf(await connection.json({ method: "GET", path, signal }));
      } catch (error) {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      }
    },
    async writeLease(write, version, signal) {
      const body = leaseBody(write, version);
      try {
        const request =
          version === undefined ? { method: "POST" as const, path: collection } : { method: "PUT" as const, path };
        return leaseOf(await connection.json({ ...request, body, signal }));
      } catch (error) {
        if (hasStatus(error, 404, 409)) return undefined;
        throw error;
      }
    },
    listNodes: (signal) => listNodes(connection, signal),
    async setPodCidrs(node, cidrs, pools, signal) {
      const podCIDRs = cidrs.map((c) => c.text);
      await connection.json({
        method: "PATCH",
        path: `/api/v1/nodes/${encodeURIComponent(node)}`,
        // In one write: CIDRs of a pool are never without the word that they are.
        body: {
          spec: { podCIDR: podCIDRs[0], podCIDRs },
          ...(pools.length > 0 && {
            metadata: { annotations: { [POOLS_ANNOTATION]: pools.map((p) => p.text).join(",") } },
          }),
        },
        contentType: "application/merge-patch+json",
        signal,
      });
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
