/** One look at a node's kernel, for the plan. */

import type { Kernel } from "../../kernel/kernel.ts";
import type { NodeFacts } from "../../plan/facts.ts";
import { isPodDevice } from "../../plan/names.ts";
import { confName, raDevices } from "../../plan/sysctls.ts";
import type { LinksView } from "./links-view.ts";

/** Connections that conntrack follows in this namespace. It follows none, not even the agent's own, where no rule asks for them. */
const TRACKED = "net/netfilter/nf_conntrack_count";

/** See {@link NodeFacts.tracksConnections}. */
export function tracksConnections(kernel: Pick<Kernel, "sysctl">): boolean {
  return Number(kernel.sysctl(TRACKED) ?? 0) > 0;
}

/** Reads what a plan needs to know. @throws KernelError when the kernel refuses to tell */
export function readFacts(kernel: Kernel, view: LinksView): NodeFacts {
  const links = view.all().filter((l) => !isPodDevice(l.name));
  const routes = kernel.routes();
  const base = {
    links: links.map(({ name, ifindex, mtuBytes, vxlan }) => ({
      name,
      ifindex,
      mtuBytes,
      addrs: kernel.addrs(name),
      vxlanPort: vxlan?.port,
    })),
    routes,
    tracksConnections: tracksConnections(kernel),
    hasIpv6: kernel.sysctl("net/ipv6/conf/all/forwarding") !== undefined,
  };
  const sysctls = new Map<string, string>();
  for (const link of raDevices({ ...base, sysctls })) {
    const name = confName(6, link, "accept_ra");
    const value = kernel.sysctl(name);
    if (value !== undefined) sysctls.set(name, value);
  }
  return { ...base, sysctls };
}
