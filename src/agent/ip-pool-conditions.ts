/** What should stand on an IPPool: whether it is used, and how much of it is given. */

import type { ObjectCondition, ObjectReport } from "../cluster/reports.ts";
import type { ClusterSnapshot } from "../cluster/source.ts";
import { settlePools } from "../ipam/node-pools.ts";
import type { IpPool } from "../model/ip-pool.ts";
import { matchesSelector } from "../model/match-labels.ts";
import type { Node } from "../model/node.ts";
import { prefixCovers } from "../net/prefix.ts";
import { acceptedOf, type Said } from "../policy/object-status.ts";
import type { AgentConfig } from "./config/config.ts";

type Tables = Pick<ClusterSnapshot["tables"], "ipPools" | "nodes">;

/** What of the configuration it follows from. */
export type PoolSettings = Pick<AgentConfig, "givesNodeCidrs" | "nodeLengths">;

const say = (type: Said["type"], status: Said["status"], reason: string, message: string): Said => ({
  type,
  status,
  reason,
  message,
});

function readyOf(pool: IpPool, nodes: readonly Node[], settings: PoolSettings): Said {
  const length = pool.nodeLength ?? Math.max(settings.nodeLengths[pool.cidr.family], pool.cidr.length);
  const blocks = 1n << BigInt(length - pool.cidr.length);
  const given = nodes.filter((n) => n.podCidrs.some((c) => prefixCovers(pool.cidr, c))).length;
  const keep = `${given} nodes have pod CIDRs of it`;
  if (pool.isDisabled) return say("Ready", "False", "Disabled", `No node is given CIDRs of it; ${keep}, and keep them`);
  if (!settings.givesNodeCidrs)
    return say("Ready", "False", "NotAllocating", `The configuration says allocateNodeCIDRs: false; ${keep}`);
  const { selector } = pool;
  if (selector !== undefined && !nodes.some((n) => matchesSelector(selector, n.labels)))
    return say("Ready", "False", "NoNode", `It selects no node that there is; ${keep}`);
  if (BigInt(given) >= blocks)
    return say(
      "Ready",
      "False",
      "Exhausted",
      `All ${blocks} blocks of /${length} are given: nodes that join need another`,
    );
  return say("Ready", "True", "Serving", `${given} of ${blocks} blocks of /${length} are given`);
}

/** What should stand on an IPPool. */
export function poolConditions(
  tables: Tables,
  settings: PoolSettings,
  report: ObjectReport,
): readonly ObjectCondition[] {
  const pool = tables.ipPools.get(report.key);
  const overlap = settlePools(tables.ipPools).refused.get(report.key);
  const said = (() => {
    if (report.issues.length > 0 || pool === undefined)
      return [
        acceptedOf(report.issues),
        say("Ready", "False", "Invalid", "What was valid before goes on; nodes keep what they have"),
      ];
    if (overlap !== undefined)
      return [
        say("Accepted", "False", "Overlap", overlap),
        say("Ready", "False", "Overlap", "No node is given CIDRs of it"),
      ];
    return [acceptedOf([]), readyOf(pool, [...tables.nodes], settings)];
  })();
  return said.map((s) => ({ ...s, observedGeneration: report.generation }));
}

/** What {@link poolConditions} rests on: another list, item by item, whenever it may say something else of an object. */
export function poolsRestOn({ ipPools, nodes }: Tables, settings: PoolSettings): readonly unknown[] {
  if (ipPools.size === 0) return [ipPools];
  const ofNodes = [...nodes].flatMap((n) => [n.labels, n.podCidrs.map((c) => c.text).join()]);
  return [ipPools, settings.givesNodeCidrs, settings.nodeLengths[4], settings.nodeLengths[6], ...ofNodes];
}
