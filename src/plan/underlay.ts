/** The devices that carry traffic between nodes and to the outside, and what they allow. */

import type { Issue } from "../base/issue.ts";
import { type Addr, addrEqual, type Family } from "../net/addr.ts";
import type { NodeNet } from "../routing/node-net.ts";
import type { LinkFact, NodeFacts, RouteFact } from "./facts.ts";
import { isNodeLink, isPodDevice, MAIN_TABLE, MIN_MTU_BYTES, VXLAN_OVERHEAD_BYTES } from "./names.ts";
import type { NetworkSettings } from "./settings.ts";

/** What {@link findUnderlay} found. */
export interface Underlay {
  /** Sorted by name, without repetition. */
  readonly devices: readonly LinkFact[];
  /** Outer family of tunnels: that of the node's first InternalIP. */
  readonly family: Family;
  /** MTU of pods' devices, and of the devices between stack and pods. */
  readonly podMtuBytes: number;
  /** Source of masqueraded packets by family; undefined: this family cannot leave. */
  readonly sourceV4: Addr | undefined;
  readonly sourceV6: Addr | undefined;
  readonly issues: readonly Issue[];
}

function isOurs(name: string): boolean {
  return isNodeLink(name) || isPodDevice(name);
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Main-table default routes through devices that are not Twill's. */
export function defaultRoutes(facts: NodeFacts): readonly RouteFact[] {
  return facts.routes.filter((r) => r.dst.length === 0 && r.table === MAIN_TABLE && !isOurs(r.link));
}

function linkOf(facts: NodeFacts, a: Addr): LinkFact | undefined {
  return facts.links.find((l) => !isOurs(l.name) && l.addrs.some((x) => addrEqual(x.addr, a)));
}

function chosenDevices(facts: NodeFacts, patterns: readonly string[], issues: Issue[]): LinkFact[] {
  for (const [i, p] of patterns.entries()) {
    if (facts.links.some((l) => !isOurs(l.name) && matches(p, l.name))) continue;
    const names = facts.links.filter((l) => !isOurs(l.name)).map((l) => `"${l.name}"`);
    issues.push({ path: `devices[${i}]`, message: `"${p}" matches no device: there are ${names.join(", ")}` });
  }
  return facts.links.filter((l) => !isOurs(l.name) && patterns.some((p) => matches(p, l.name)));
}

function foundDevices(facts: NodeFacts, self: NodeNet, issues: Issue[]): LinkFact[] {
  const names = new Set<string>();
  for (const a of self.internalIps) {
    const link = linkOf(facts, a);
    if (link !== undefined && link.name !== "lo") names.add(link.name);
    // Nobody sends to the others of its family.
    else if (link === undefined && self.internalIps.find((x) => x.family === a.family) === a)
      issues.push({
        path: `nodes.${self.name}`,
        message: `InternalIP "${a.text}" stands on no device: other nodes would tunnel to an address that is not here`,
      });
  }
  for (const r of defaultRoutes(facts)) names.add(r.link);
  if (names.size === 0)
    issues.push({
      path: "devices",
      message: 'No device has an InternalIP of this node or a default route: name the devices in "devices"',
    });
  return facts.links.filter((l) => names.has(l.name));
}

function isGlobal(a: Addr): boolean {
  if (a.family === 4) return a.bytes[12] !== 127 && !(a.bytes[12] === 169 && a.bytes[13] === 254);
  return !((a.bytes[0] ?? 0) === 0xfe && ((a.bytes[1] ?? 0) & 0xc0) === 0x80) && a.text !== "::1";
}

function sourceAddr(family: Family, self: NodeNet, devices: readonly LinkFact[]): Addr | undefined {
  const own = self.internalIps.find((a) => a.family === family);
  if (own !== undefined) return own;
  return devices.flatMap((d) => d.addrs.map((a) => a.addr)).find((a) => a.family === family && isGlobal(a));
}

/** Bytes that a node's own pods may send at most, from what the underlay carries. */
function podMtu(settings: NetworkSettings, devices: readonly LinkFact[], family: Family, issues: Issue[]): number {
  const underlay = Math.min(...devices.map((d) => d.mtuBytes), devices.length === 0 ? 1500 : 65535);
  const found = underlay - VXLAN_OVERHEAD_BYTES[family];
  const wanted = settings.mtuBytes === "auto" ? found : settings.mtuBytes;
  const needsV6 = settings.clusterCidrs.some((c) => c.family === 6);
  if (wanted > found)
    issues.push({
      path: "mtu",
      message: `${wanted} is more than the ${found} that fit through a tunnel over an underlay of ${underlay}: the outer packets will be fragmented or lost`,
    });
  if (needsV6 && wanted < MIN_MTU_BYTES)
    issues.push({
      path: "mtu",
      message: `${wanted} is less than the ${MIN_MTU_BYTES} that IPv6 needs: pods will lose IPv6`,
    });
  return wanted;
}

/** Finds the underlay of a node. The same look at the kernel gives the same answer. */
export function findUnderlay(settings: NetworkSettings, self: NodeNet, facts: NodeFacts): Underlay {
  const issues: Issue[] = [];
  const found =
    settings.devices === "auto" ? foundDevices(facts, self, issues) : chosenDevices(facts, settings.devices, issues);
  const devices = [...found].sort((a, b) => (a.name < b.name ? -1 : 1));
  const sourceV4 = sourceAddr(4, self, devices);
  const sourceV6 = sourceAddr(6, self, devices);
  const family = self.internalIps[0]?.family ?? (sourceV4 === undefined && sourceV6 !== undefined ? 6 : 4);
  return { devices, family, podMtuBytes: podMtu(settings, devices, family, issues), sourceV4, sourceV6, issues };
}
