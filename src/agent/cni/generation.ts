/**
 * Whether a request is about the attachment that the node has, or about an earlier one of the same name. Runtimes
 * repeat DEL, and some bring a container back under its old name with a new namespace: a DEL that comes late must not
 * take the new one's addresses.
 */

import type { CniRequest } from "../../cni/request.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { isGone } from "./failure.ts";

type NamespaceView = Pick<Kernel, "netnsId">;

/** Whether the namespace of the attachment is still where it was. */
export function hasNamespace(kernel: NamespaceView, e: Endpoint): boolean {
  return kernel.netnsId(e.netnsPath) === e.netnsId;
}

/** Whether the pod still has the interface. */
export function isAlive(kernel: Kernel, e: Endpoint): boolean {
  if (!hasNamespace(kernel, e)) return false;
  try {
    return kernel.inspectPodLink(e.netnsPath, e.ifname) !== undefined;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Addresses of the container's interface in `prevResult`; undefined when it says nothing of it. */
function previousAddrs(request: CniRequest): readonly string[] | undefined {
  const previous = request.prevResult;
  if (previous === undefined) return undefined;
  const own = previous.ips.filter((ip) => {
    const owner = ip.interfaceIndex === undefined ? undefined : previous.interfaces[ip.interfaceIndex];
    return owner === undefined || owner.name === request.ifname;
  });
  return own.length === 0 ? undefined : own.map((ip) => ip.address.addr.text);
}

/** Whether the DEL speaks of an attachment that came before `e`. In doubt it does not: a DEL must never leak. */
export function isSuperseded(kernel: NamespaceView, e: Endpoint, request: CniRequest): boolean {
  const asked = request.netns === "" ? undefined : kernel.netnsId(request.netns);
  if (asked !== undefined) {
    if (asked === e.netnsId) return false;
    // The path leads to a namespace that is not the attachment's. If the attachment's own is gone, the path was used
    // again for another container, and this is the DEL for what went.
    return hasNamespace(kernel, e);
  }
  const addrs = previousAddrs(request);
  if (addrs !== undefined && !e.addrs.some((a) => addrs.includes(a.text))) return true;
  return request.netns !== "" && request.netns !== e.netnsPath && hasNamespace(kernel, e);
}
