/** Decisions → entries of the BPF maps. */

import type { Addr } from "../net/addr.ts";
import {
  ConfigFlag,
  decodeConfig,
  encodeConfig,
  encodeIpcacheEntry,
  encodeIpcacheKey,
  encodeNode,
  encodeNodeKey,
} from "../net/gen/bpf-maps.ts";
import { mappedLength } from "../net/prefix.ts";
import type { IpcacheEntry, NodeEntry } from "../routing/entries.ts";
import type { MapRow } from "./rows.ts";
import type { NetworkSettings } from "./settings.ts";

/** How the maps say "no address". */
const NO_ADDR = new Uint8Array(16);

function bytesOf(a: Addr | undefined): Uint8Array {
  return a?.bytes ?? NO_ADDR;
}

/** Entry of `ipcache`. */
export function ipcacheRow(e: IpcacheEntry): MapRow {
  return {
    key: encodeIpcacheKey({ prefixBits: mappedLength(e.prefix), addr: e.prefix.addr.bytes }),
    value: encodeIpcacheEntry({
      flags: e.flags,
      tunnel: bytesOf(e.tunnel),
      nodeId: e.nodeId,
    }),
  };
}

/** Entry of `nodes`. */
export function nodeRow(e: NodeEntry): MapRow {
  return { key: encodeNodeKey({ tunnel: e.addr.bytes }), value: encodeNode({ nodeId: e.nodeId, flags: 0 }) };
}

/** FNV-1a of 32 bits over all rows. @param seed hash of what comes before */
export function hashRows(tables: readonly (readonly MapRow[])[], seed = 0x811c9dc5): number {
  let hash = seed;
  const eat = (bytes: Uint8Array) => {
    for (const b of bytes) hash = Math.imul(hash ^ b, 0x01000193);
  };
  for (const rows of tables) {
    for (const row of rows) {
      eat(row.key);
      eat(row.value);
    }
  }
  return hash >>> 0;
}

/** What the single entry of `config` says. */
export interface ConfigFacts {
  readonly nodeV4: Addr | undefined;
  readonly nodeV6: Addr | undefined;
  readonly routerV4: Addr | undefined;
  readonly routerV6: Addr | undefined;
  readonly hostIfindex: number;
  readonly hostPeerIfindex: number;
  readonly tunnelIfindex: number;
  readonly podMtuBytes: number;
  /** Policy speaks of the node itself. */
  readonly hasHostPolicy: boolean;
  /** See {@link NodeFacts.tracksConnections}. */
  readonly tracksConnections: boolean;
  /** `services` has rows. */
  readonly hasServices: boolean;
}

/** Key of the single entry of `config`. */
export const CONFIG_KEY = new Uint8Array(4);

/** Whether the entry of `config` says that policy speaks of the node itself. */
export function hasHostPolicy(value: Uint8Array): boolean {
  return (decodeConfig(value).flags & ConfigFlag.hostPolicy) !== 0;
}

/** Whether the entry of `config` says that there are services. */
export function hasServices(value: Uint8Array): boolean {
  return (decodeConfig(value).flags & ConfigFlag.services) !== 0;
}

/** The entry of `config`. @param revision not 0; differs whenever anything that flows are judged by differs */
export function configRow(settings: NetworkSettings, facts: ConfigFacts, revision: number): MapRow {
  const { masquerade, tunnel } = settings;
  const flags =
    (masquerade.isEnabled && facts.nodeV4 !== undefined ? ConfigFlag.masquerade4 : 0) |
    (masquerade.isEnabled && facts.nodeV6 !== undefined ? ConfigFlag.masquerade6 : 0) |
    (tunnel.hasShortcut ? 0 : ConfigFlag.noShortcut) |
    (settings.rejectsDenied ? ConfigFlag.reject : 0) |
    (facts.hasHostPolicy ? ConfigFlag.hostPolicy : 0) |
    (facts.tracksConnections ? ConfigFlag.tracked : 0) |
    (facts.hasServices ? ConfigFlag.services : 0);
  return {
    key: CONFIG_KEY,
    value: encodeConfig({
      node4: bytesOf(facts.nodeV4),
      node6: bytesOf(facts.nodeV6),
      router4: bytesOf(facts.routerV4),
      router6: bytesOf(facts.routerV6),
      revision,
      flags,
      twill0Ifindex: facts.hostIfindex,
      twill1Ifindex: facts.hostPeerIfindex,
      tunnelIfindex: facts.tunnelIfindex,
      tunnelVni: tunnel.vni,
      tunnelMtu: facts.podMtuBytes,
      tunnelPort: tunnel.port,
      natPortMin: masquerade.ports.first,
      natPortMax: masquerade.ports.last,
    }),
  };
}
