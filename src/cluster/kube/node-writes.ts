/** What an agent writes onto Node objects. */

import type { ClusterSource } from "../source.ts";
import type { Connection } from "./connection.ts";
import { conditionsPatch, type StoredCondition } from "./node-conditions.ts";

/** See {@link ClusterSource}. */
export type NodeWrites = Pick<ClusterSource, "patchNodeAnnotations" | "patchNodeConditions" | "removeNodeTaint">;

interface StoredNode {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: { readonly taints?: readonly { readonly key?: string }[] };
}

function nodePath(node: string): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}`;
}

/** The calls, over a connection. */
export function nodeWrites(connection: Connection): NodeWrites {
  return {
    async patchNodeAnnotations(node, annotations, signal) {
      const body = { metadata: { annotations } };
      await connection.json({
        method: "PATCH",
        path: nodePath(node),
        body,
        contentType: "application/merge-patch+json",
        signal,
      });
    },
    async removeNodeTaint(node, key, signal) {
      const current = (await connection.json({ method: "GET", path: nodePath(node), signal })) as StoredNode;
      const { taints = [] } = current.spec ?? {};
      const left = taints.filter((t) => t.key !== key);
      if (left.length === taints.length) return;
      await connection.json({
        method: "PATCH",
        path: nodePath(node),
        // A list is replaced as a whole: the revision makes it a conflict when somebody else's taint came in between.
        body: {
          metadata: { resourceVersion: current.metadata?.resourceVersion },
          spec: { taints: left.length === 0 ? null : left },
        },
        contentType: "application/merge-patch+json",
        signal,
      });
    },
    async patchNodeConditions(node, conditions, signal) {
      const current = (await connection.json({ method: "GET", path: nodePath(node), signal })) as {
        readonly status?: { readonly conditions?: readonly StoredCondition[] };
      };
      const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const body = conditionsPatch(current.status?.conditions ?? [], conditions, now);
      if (body === undefined) return;
      const contentType = "application/strategic-merge-patch+json";
      await connection.json({ method: "PATCH", path: `${nodePath(node)}/status`, body, contentType, signal });
    },
  };
}
