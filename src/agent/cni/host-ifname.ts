/** The host end's name of a pod's link. */

import { hash } from "node:crypto";
import { POD_LINK_PREFIX } from "../../plan/names.ts";

/** `twl` and 12 hexadecimal digits, from the two names that a runtime knows the attachment by. */
export function hostIfname(containerId: string, ifname: string): string {
  return `${POD_LINK_PREFIX}${hash("sha256", `${containerId}/${ifname}`).slice(0, 12)}`;
}
