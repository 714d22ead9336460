/** What policy's maps should hold, by key, as the tables are when it is asked. */

import { addrFromBytes } from "../../net/addr.ts";
import {
  decodeIdentityKey,
  decodePolicyClassKey,
  decodePolicyPeerKey,
  decodePolicySetKey,
  IDENTITY_KEY_BYTES,
  POLICY_CLASS_KEY_BYTES,
  POLICY_PEER_KEY_BYTES,
  POLICY_SET_KEY_BYTES,
} from "../../net/gen/bpf-maps.ts";
import { unmappedLength } from "../../net/prefix.ts";
import {
  BANK_BITS,
  classMapKey,
  classMapRow,
  identityMapKey,
  identityMapRow,
  POLICY_MAPS,
  peerMapKey,
  peerMapRow,
  setMapKey,
  setMapRow,
} from "../../plan/policy-rows.ts";
import type { Partition } from "../../policy/partition.ts";
import type { PolicyTables, SetRow } from "../../policy/table.ts";
import type { WantedMap } from "../compare/comparison.ts";

function wantedSets(tables: () => PolicyTables): WantedMap {
  /** Of the set that was asked for last: in a trie those of one set stand behind each other. */
  let rows: readonly SetRow[] | undefined;
  let byKey = new Map<string, SetRow>();
  const nameOf = (r: Pick<SetRow, "prefixLength" | "protocol" | "port">) => `${r.prefixLength} ${r.protocol} ${r.port}`;
  return {
    map: POLICY_MAPS.sets,
    keyBytes: POLICY_SET_KEY_BYTES,
    isTrie: true,
    rowOf(key) {
      const { prefixBits: prefixLength, set, protocol, port } = decodePolicySetKey(key);
      const now = tables().sets.get(set);
      if (now !== rows) {
        rows = now;
        byKey = new Map(now?.map((r) => [nameOf(r), r]));
      }
      const row = byKey.get(nameOf({ prefixLength, protocol, port }));
      return row === undefined ? undefined : setMapRow(set, row);
    },
    *keys() {
      for (const [set, all] of tables().sets) for (const row of all) yield setMapKey(set, row);
    },
  };
}

function wantedPeers(tables: () => PolicyTables): WantedMap {
  return {
    map: POLICY_MAPS.peers,
    keyBytes: POLICY_PEER_KEY_BYTES,
    isTrie: false,
    rowOf(key) {
      const { number, identity } = decodePolicyPeerKey(key);
      const set = tables().peers.get(number)?.get(identity);
      return set === undefined ? undefined : peerMapRow(number, identity, set);
    },
    *keys() {
      for (const [number, peers] of tables().peers)
        for (const identity of peers.keys()) yield peerMapKey(number, identity);
    },
  };
}

function wantedIdentities(bank: number, partition: Pick<Partition, "rows" | "rowOf">): WantedMap {
  return {
    map: POLICY_MAPS.identities,
    keyBytes: IDENTITY_KEY_BYTES,
    isTrie: true,
    rowOf(key) {
      const { bank: of, prefixBits, addr: bytes } = decodeIdentityKey(key);
      if (of !== bank || prefixBits < BANK_BITS) return undefined;
      const addr = addrFromBytes(bytes);
      const row = partition.rowOf(addr, unmappedLength(addr.family, prefixBits - BANK_BITS));
      return row === undefined ? undefined : identityMapRow(bank, row);
    },
    *keys() {
      for (const { prefix } of partition.rows()) yield identityMapKey(bank, prefix);
    },
  };
}

function wantedClasses(bank: number, tables: () => PolicyTables): WantedMap {
  return {
    map: POLICY_MAPS.classes,
    keyBytes: POLICY_CLASS_KEY_BYTES,
    isTrie: false,
    rowOf(key) {
      const { number } = decodePolicyClassKey(key);
      const row = tables().classes.get(number);
      return row === undefined ? undefined : classMapRow(bank, number, row);
    },
    *keys() {
      for (const number of tables().classes.keys()) yield classMapKey(number);
    },
  };
}

/** All of policy's maps, what is pointed at first. @param bank the agent's own: rows of others are not wanted */
export function wantedPolicy(
  bank: number,
  tables: () => PolicyTables,
  partition: Pick<Partition, "rows" | "rowOf">,
): WantedMap[] {
  return [wantedSets(tables), wantedPeers(tables), wantedIdentities(bank, partition), wantedClasses(bank, tables)];
}
