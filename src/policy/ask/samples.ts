/** Where answers can differ: every piece of the address space and of all traffic, once. */

import type { Addr, Family } from "../../net/addr.ts";
import { addrFromBigint, addrToBigint, familyBits } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Step } from "../order.ts";
import { atomsOf } from "../peer.ts";
import type { NamedPort } from "../rule.ts";
import { addIcmpCuts, addPortCuts, addProtocolCuts, icmpProtocol, PROTOCOLS_WITH_PORTS } from "../traffic.ts";
import type { Traffic, World } from "./world.ts";

/** Prefixes that the rules of steps ask for. */
function prefixesOf(steps: readonly Step[]): Prefix[] {
  const found = new Map<string, Prefix>();
  for (const step of steps)
    if (step.kind === "rule")
      for (const atom of atomsOf(step.rule.peer)) if (atom.kind === "cidr") found.set(atom.prefix.text, atom.prefix);
  return [...found.values()];
}

/** The first address of each piece of the space that the prefixes part; of IPv4 and IPv6, those beside all prefixes included. */
function piecesOfSpace(prefixes: readonly Prefix[]): Addr[] {
  const starts = new Map<string, Addr>();
  const add = (family: Family, n: bigint) => {
    if (n >> BigInt(familyBits(family)) !== 0n) return;
    const addr = addrFromBigint(family, n);
    starts.set(addr.text, addr);
  };
  for (const family of [4, 6] as const) add(family, 0n);
  for (const { family, addr, length } of prefixes) {
    const first = addrToBigint(addr);
    add(family, first);
    add(family, first + (1n << BigInt(familyBits(family) - length)));
  }
  return [...starts.values()];
}

/** Addresses that steps can tell apart: all pods and nodes, what prefixes of rules and of network sets part, and the world. */
export function peerSamples(world: World, steps: readonly Step[]): Addr[] {
  const prefixes = [...prefixesOf(steps), ...world.rules.overlays.map((o) => o.prefix)];
  const known = [...world.pods.values(), ...world.nodes.flatMap((n) => n.internalIps.map((a) => world.endAt(a)))];
  const all = [...known.flatMap((e) => e.addrs), ...piecesOfSpace(prefixes)];
  return [...new Map(all.map((a) => [a.text, a])).values()];
}

/** Traffic that steps can tell apart, for one family. @param names named ports of the receiver */
export function trafficSamples(steps: readonly Step[], family: Family, names: readonly NamedPort[]): Traffic[] {
  const matches = steps.flatMap((s) => (s.kind === "rule" ? s.rule.traffic : []));
  const protocols = new Set<number>([0, icmpProtocol(family), icmpProtocol(family) + 1]);
  for (const p of PROTOCOLS_WITH_PORTS) protocols.add(p).add(p + 1);
  for (const m of matches) addProtocolCuts(protocols, m);
  return [...protocols]
    .filter((p) => p <= 0xff)
    .flatMap((protocol) => {
      const ports = new Set<number>([0]);
      if (PROTOCOLS_WITH_PORTS.includes(protocol)) for (const m of matches) addPortCuts(ports, m, protocol, names);
      else if (protocol === icmpProtocol(family)) for (const m of matches) addIcmpCuts(ports, m, family);
      return [...ports].filter((p) => p <= 0xffff).map((port) => ({ protocol, port }));
    });
}
