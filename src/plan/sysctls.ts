/** Kernel settings that forwarding needs. Only what is needed is set; what an operator chose more freely is left. */

import type { NodeFacts } from "./facts.ts";
import { HOST_LINK, HOST_PEER_LINK, VXLAN_LINK } from "./names.ts";
import type { SysctlRow } from "./rows.ts";
import { defaultRoutes } from "./underlay.ts";

/** `proto ra`: the kernel made the route from a router advertisement. */
const PROTOCOL_RA = 9;

/** Name of a per-device setting. */
export function confName(family: 4 | 6, link: string, setting: string): string {
  return `net/ipv${family}/conf/${link}/${setting}`;
}

/** Devices whose `accept_ra` a plan must know. */
export function raDevices(facts: NodeFacts): readonly string[] {
  const names = new Set(facts.routes.filter((r) => r.protocol === PROTOCOL_RA).map((r) => r.link));
  for (const r of defaultRoutes(facts)) if (r.dst.family === 6) names.add(r.link);
  return [...names].sort();
}

/**
 * `accept_ra` of a device that learned its routes from advertisements: with forwarding on, the kernel obeys them only at 2.
 * Without this, a node loses its IPv6 default route some minutes after the network plugin starts.
 */
function acceptRa(facts: NodeFacts): SysctlRow[] {
  return raDevices(facts).flatMap((link) => {
    const name = confName(6, link, "accept_ra");
    const now = facts.sysctls.get(name);
    return now === "1" || now === "2" ? [{ name, value: "2" }] : [];
  });
}

/** Settings in the order in which they are to be made: `accept_ra` before the forwarding that would drop its routes. */
export function planSysctls(facts: NodeFacts): SysctlRow[] {
  const rows: SysctlRow[] = [
    { name: "net/ipv4/ip_forward", value: "1" },
    // Sources that enter here are reached by other devices, too (other nodes' own addresses). The kernel takes the larger
    // value of the device's and that of `all`: loose holds even where `all` is strict.
    { name: confName(4, HOST_LINK, "rp_filter"), value: "2" },
    { name: confName(4, HOST_LINK, "forwarding"), value: "1" },
    // A packet that the node hands back to the same device is no reason to tell the pod of a better way.
    { name: confName(4, HOST_LINK, "send_redirects"), value: "0" },
    { name: confName(4, HOST_LINK, "accept_redirects"), value: "0" },
  ];
  if (!facts.hasIpv6) return rows;
  return [
    ...acceptRa(facts),
    ...rows,
    { name: "net/ipv6/conf/all/forwarding", value: "1" },
    { name: confName(6, HOST_LINK, "disable_ipv6"), value: "0" },
    { name: confName(6, HOST_LINK, "forwarding"), value: "1" },
    { name: confName(6, HOST_LINK, "accept_ra"), value: "0" },
    { name: confName(6, HOST_LINK, "accept_dad"), value: "0" },
    { name: confName(6, HOST_LINK, "accept_redirects"), value: "0" },
    // Pipes without addresses: no router solicitations, no multicast reports.
    { name: confName(6, HOST_PEER_LINK, "disable_ipv6"), value: "1" },
    { name: confName(6, VXLAN_LINK, "disable_ipv6"), value: "1" },
  ];
}
