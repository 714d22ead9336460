/** What should stand on an IPPool, Twill's or Calico's: whether it is used, how much of it is given, and what of it is not followed. */

import type { ObjectCondition, ObjectReport } from "../cluster/reports.ts";
import type { ClusterSnapshot } from "../cluster/source.ts";
import { selectsNode, settlePools, shareLength } from "../ipam/node-pools.ts";
import type { CalicoIpPool } from "../model/calico-ip-pool.ts";
import type { IpPool } from "../model/ip-pool.ts";
import type { Node } from "../model/node.ts";
import { prefixCovers } from "../net/prefix.ts";
import { acceptedOf, type Said } from "../policy/object-status.ts";
import type { AgentConfig } from "./config/config.ts";
import { nodePools } from "./pool-cidrs.ts";

type Tables = Pick<ClusterSnapshot["tables"], "ipPools" | "calicoIpPools" | "nodes">;

/** What of the configuration it follows from. */
export type PoolSettings = Pick<AgentConfig, "givesNodeCidrs" | "nodeLengths">;

const say = (type: Said["type"], status: Said["status"], reason: string, message: string): Said => ({
  type,
  status,
  reason,
  message,
});

function readyOf(pool: IpPool, nodes: readonly Node[], settings: PoolSettings): Said {
  const length = shareLength(pool, settings.nodeLengths);
  const blocks = 1n << BigInt(length - pool.cidr.length);
  const given = nodes.filter((n) => n.podCidrs.some((c) => prefixCovers(pool.cidr, c))).length;
  const keep = `${given} nodes have pod CIDRs of it`;
  if (pool.isDisabled) return say("Ready", "False", "Disabled", `No node is given CIDRs of it; ${keep}, and keep them`);
  if (!settings.givesNodeCidrs)
    return say("Ready", "False", "NotAllocating", `The configuration says allocateNodeCIDRs: false; ${keep}`);
  if (pool.selector !== undefined && !nodes.some((n) => selectsNode(pool, n.labels)))
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

/** Of a pool that is understood. */
function usedOf(pool: IpPool, tables: Tables, settings: PoolSettings): readonly Said[] {
  const overlap = settlePools(nodePools(tables)).refused.get(pool);
  if (overlap === undefined) return [acceptedOf([]), readyOf(pool, [...tables.nodes], settings)];
  return [
    say("Accepted", "False", "Overlap", overlap),
    say("Ready", "False", "Overlap", "No node is given CIDRs of it"),
  ];
}

function ofCalico(pool: CalicoIpPool, tables: Tables, settings: PoolSettings): readonly Said[] {
  const isForServices = pool.loadBalancer.ranges.length > 0;
  const said =
    pool.nodes !== undefined
      ? usedOf(pool.nodes, tables, settings)
      : [
          acceptedOf([]),
          isForServices
            ? say("Ready", "True", "LoadBalancer", "Its addresses are for services of type LoadBalancer")
            : say("Ready", "False", "NotForPods", "Its addresses are for no pod"),
        ];
  if (pool.notes.length === 0) return said;
  const notes = pool.notes.map((n) => `${n.path}: ${n.message}`).join("; ");
  return said.map((s) =>
    s.type === "Accepted" && s.status === "True" ? { ...s, reason: "InPart", message: `Not followed: ${notes}` } : s,
  );
}

/** What should stand on an IPPool. */
export function poolConditions(
  tables: Tables,
  settings: PoolSettings,
  report: ObjectReport,
): readonly ObjectCondition[] {
  const said = (() => {
    if (report.issues.length === 0) {
      const own = report.table === "ipPools" ? tables.ipPools.get(report.key) : undefined;
      if (own !== undefined) return usedOf(own, tables, settings);
      const calicos = report.table === "calicoIpPools" ? tables.calicoIpPools.get(report.key) : undefined;
      if (calicos !== undefined) return ofCalico(calicos, tables, settings);
    }
    return [
      acceptedOf(report.issues),
      say("Ready", "False", "Invalid", "What was valid before goes on; nodes keep what they have"),
    ];
  })();
  return said.map((s) => ({ ...s, observedGeneration: report.generation }));
}

/** What {@link poolConditions} rests on: another list, item by item, whenever it may say something else of an object. */
export function poolsRestOn({ ipPools, calicoIpPools, nodes }: Tables, settings: PoolSettings): readonly unknown[] {
  if (ipPools.size + calicoIpPools.size === 0) return [ipPools, calicoIpPools];
  const ofNodes = [...nodes].flatMap((n) => [n.labels, n.podCidrs.map((c) => c.text).join()]);
  return [
    ipPools,
    calicoIpPools,
    settings.givesNodeCidrs,
    settings.nodeLengths[4],
    settings.nodeLengths[6],
    ...ofNodes,
  ];
}
