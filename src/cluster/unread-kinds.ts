/** Objects without a table: most are none of Twill's business, some are policies that are not written as they should be. */

import type { Issue } from "../base/issue.ts";
import { editDistance } from "../base/nearest.ts";
import { groupOf, TABLE_KINDS } from "./tables.ts";

/** Not those of the core: Calico has a kind Node of its own. */
const versionsOf = (kind: string) =>
  TABLE_KINDS.filter((k) => k.kind === kind && groupOf(k.collections[0].apiVersion) !== "").flatMap((k) =>
    k.collections.map((c) => c.apiVersion),
  );

/** Groups that policies stand in. Networking policies once stood in `extensions`. */
const GROUPS: ReadonlySet<string> = new Set([
  ...TABLE_KINDS.flatMap((k) => k.collections.map((c) => groupOf(c.apiVersion))).filter((g) => g !== ""),
  "extensions",
]);
/** Letters by which a misspelled kind may differ. */
const MAX_DISTANCE = 2;

/** Whether an object of an unknown kind was meant to be one that is read, and what is wrong with it then. */
export function misspelled(apiVersion: string, kind: string): Issue | undefined {
  const group = groupOf(apiVersion);
  if (!GROUPS.has(group)) return undefined;
  const versions = versionsOf(kind);
  if (versions.length > 0)
    return {
      path: "apiVersion",
      message: `"${apiVersion}" has no kind "${kind}" that is read: ${versions.join(", ")} have`,
    };
  const kinds = TABLE_KINDS.filter((k) => k.collections.some((c) => groupOf(c.apiVersion) === group)).map(
    (k) => k.kind,
  );
  const near = kinds.find((k) => editDistance(kind.toLowerCase(), k.toLowerCase()) <= MAX_DISTANCE);
  return near === undefined ? undefined : { path: "kind", message: `Unknown kind "${kind}": did you mean "${near}"?` };
}

/** Whether the kind is a policy of a group that is read, and is itself not read: `CiliumEgressGatewayPolicy`. */
export function isUnreadPolicy(apiVersion: string, kind: string): boolean {
  return GROUPS.has(groupOf(apiVersion)) && kind.endsWith("Policy");
}
