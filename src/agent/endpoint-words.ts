/** Words about attachments. */

import type { Endpoint } from "../model/endpoint.ts";
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
