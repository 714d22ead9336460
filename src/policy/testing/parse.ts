/** Raw objects → a validated cluster, for tests: what is refused throws. */

import { formatIssues, type Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { createInterner, type Interner } from "../../model/intern.ts";
import { parseNamespace } from "../../model/namespace.ts";
import { parseNode } from "../../model/node.ts";
import { parsePod } from "../../model/pod.ts";
import { parseAdminNetworkPolicy, parseBaselineAdminNetworkPolicy } from "../../model/policy/admin-network-policy.ts";
import { parseClusterNetworkPolicy } from "../../model/policy/cluster-network-policy.ts";
import { parseNetworkPolicy } from "../../model/policy/network-policy.ts";
import type { LiteralCluster } from "../literal/flow.ts";
import type { RawCluster } from "./generate.ts";

/**
 * @throws Error with all issues of the first object that is refused
 */
export function parseCluster(raw: RawCluster, interner: Interner = createInterner()): LiteralCluster {
  function all<T>(values: readonly object[], parse: (v: unknown, i: Interner) => Result<T, readonly Issue[]>): T[] {
    return values.map((value) => {
      const result = parse(value, interner);
      if (!result.ok) throw new Error(`Refused ${JSON.stringify(value)}: ${formatIssues(result.error)}`);
      return result.value;
    });
  }
  return {
    nodes: all(raw.nodes, parseNode),
    namespaces: all(raw.namespaces, parseNamespace),
    pods: all(raw.pods, parsePod),
    networkPolicies: all(raw.networkPolicies, parseNetworkPolicy),
    clusterPolicies: [
      ...all(raw.clusterPolicies, parseClusterNetworkPolicy),
      ...all(raw.adminPolicies, parseAdminNetworkPolicy),
      ...all(raw.baselinePolicies, parseBaselineAdminNetworkPolicy),
    ],
  };
}
