/** What other network plugins left on a node and what of it stands in the way: said, never removed. */

import type { Issue } from "../base/issue.ts";
import { prefixCovers } from "../net/prefix.ts";
import type { NodeFacts } from "./facts.ts";
import { isNodeLink, isPodDevice, MAIN_TABLE, ROUTE_PROTOCOL } from "./names.ts";
import type { NetworkSettings } from "./settings.ts";

/** Routes that are named; a node that was another plugin's may have one for each other node. */
const MAX_ROUTES = 5;

function portIssues(settings: NetworkSettings, facts: NodeFacts): Issue[] {
  const rivals = facts.links.filter((l) => !isNodeLink(l.name) && l.vxlanPort === settings.tunnel.port);
  return rivals.map(({ name }) => ({
    path: "tunnel.port",
    message: `VXLAN device "${name}" has UDP port ${settings.tunnel.port} already, and the kernel gives it to one device only: remove "${name}" if no plugin uses it any more, or give all nodes another port`,
  }));
}

function routeIssues(settings: NetworkSettings, facts: NodeFacts): Issue[] {
  const rivals = facts.routes.filter(
    (r) =>
      r.table === MAIN_TABLE &&
      r.protocol !== ROUTE_PROTOCOL &&
      !isNodeLink(r.link) &&
      !isPodDevice(r.link) &&
      settings.clusterCidrs.some((c) => prefixCovers(c, r.dst)),
  );
  const issues = rivals.slice(0, MAX_ROUTES).map(({ dst, link }) => ({
    path: "routes",
    message: `Route ${dst.text} on "${link}" takes packets of this node away from its pods: another plugin's, or clusterCIDRs overlaps the underlay`,
  }));
  const more = rivals.length - MAX_ROUTES;
  if (more > 0)
    issues.push({ path: "routes", message: `${more} more routes inside of the cluster CIDRs are not Twill's` });
  return issues;
}

/** Devices and routes of others that keep Twill's from working. */
export function findForeign(settings: NetworkSettings, facts: NodeFacts): Issue[] {
  return [...portIssues(settings, facts), ...routeIssues(settings, facts)];
}
