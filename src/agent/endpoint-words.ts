/** Words about attachments. */

import type { Issue } from "../base/issue.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { type Prefix, prefixHas } from "../net/prefix.ts";
import { CLOSED_CLASSES } from "../plan/endpoint.ts";
import type { EndpointClasses } from "../policy/table.ts";

/** Whether nothing passes, whatever policy says: nobody knows what it says of the pod. */
export function isClosed({ ingress, egress }: EndpointClasses): boolean {
  return ingress === CLOSED_CLASSES.ingress && egress === CLOSED_CLASSES.egress;
}

/** Whose attachment it is, for people. */
export function describePod(e: Endpoint): string {
  return e.podName === undefined ? `container "${e.containerId}"` : `pod "${e.podNamespace}/${e.podName}"`;
}

/** Attachments whose device is gone. */
export function lostIssues(lost: readonly Endpoint[]): readonly Issue[] {
  return lost.map((e) => ({
    path: `endpoints.${e.id}`,
    message: `Device "${e.hostIfname}" of ${describePod(e)} is gone although its namespace is there: delete the pod`,
  }));
}

/** Pods that are told one by one; a node has some hundred. */
const MAX_STRAYS = 10;

/**
 * Attachments with addresses that other nodes do not send to this one: the node's object was made anew, or renamed, with other
 * pod CIDRs than they were given their addresses of.
 * @param podCidrs of the node now; none: not known
 */
export function strayIssues(endpoints: readonly Endpoint[], podCidrs: readonly Prefix[]): readonly Issue[] {
  if (podCidrs.length === 0) return [];
  const strays = endpoints.flatMap((e) => {
    const addr = e.addrs.find((a) => !podCidrs.some((c) => prefixHas(c, a)));
    return addr === undefined ? [] : [{ e, addr }];
  });
  const issues = strays.slice(0, MAX_STRAYS).map(({ e, addr }) => ({
    path: `endpoints.${e.id}`,
    message: `Address "${addr.text}" of ${describePod(e)} is in none of this node's pod CIDRs any more, so that other nodes do not reach it: delete the pod`,
  }));
  const more = strays.length - issues.length;
  return more === 0 ? issues : [...issues, { path: "endpoints", message: `and ${more} more pods with such addresses` }];
}
