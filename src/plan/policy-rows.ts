/** Policy's tables as entries of the BPF maps (`bpf/lib/policy.h` reads them, `src/policy/table.ts` says what they mean). */

import {
  encodeHostEntry,
  encodeHostKey,
  encodeIdentityEntry,
  encodeIdentityKey,
  encodePolicyClass,
  encodePolicyClassKey,
  encodePolicyPeer,
  encodePolicyPeerKey,
  encodePolicySetKey,
  encodePolicyVerdict,
  PolicyFlag,
} from "../net/gen/bpf-maps.ts";
import { mappedLength, type Prefix } from "../net/prefix.ts";
import type { IdentityRow } from "../policy/identity.ts";
import type { ClassRow, EndpointClasses, SetRow, Verdict } from "../policy/table.ts";
import type { MapRow } from "./rows.ts";

/** Maps that hold policy. */
export const POLICY_MAPS = {
  identities: "identities",
  classes: "policy_classes",
  peers: "policy_peers",
  sets: "policy_sets",
} as const;

/** Name of the map that says what policy makes of the node itself, device by device. */
export const HOSTS_MAP = "hosts";

/** Key of an entry of {@link HOSTS_MAP}. @param ifindex 0: everything that has no entry of its own */
export function hostMapKey(ifindex: number): Uint8Array {
  return encodeHostKey({ ifindex });
}

/** Entry of {@link HOSTS_MAP}. */
export function hostMapRow(ifindex: number, classes: EndpointClasses): MapRow {
  const value = encodeHostEntry({ ingressClass: classes.ingress, egressClass: classes.egress });
  return { key: hostMapKey(ifindex), value };
}

/** Bits of the bank, which stand before the address. */
export const BANK_BITS = 32;

/** Key of an entry of `identities`. */
export function identityMapKey(bank: number, prefix: Prefix): Uint8Array {
  return encodeIdentityKey({ prefixBits: BANK_BITS + mappedLength(prefix), bank, addr: prefix.addr.bytes });
}

/** Entry of `identities`. */
export function identityMapRow(bank: number, row: IdentityRow): MapRow {
  return { key: identityMapKey(bank, row.prefix), value: encodeIdentityEntry({ identity: row.identity }) };
}

/** Key of an entry of `policy_classes`. */
export function classMapKey(number: number): Uint8Array {
  return encodePolicyClassKey({ number });
}

/** Entry of `policy_classes`. */
export function classMapRow(bank: number, number: number, row: ClassRow): MapRow {
  return { key: classMapKey(number), value: encodePolicyClass({ ...row, bank }) };
}

/** Key of an entry of `policy_peers`. */
export function peerMapKey(number: number, identity: number): Uint8Array {
  return encodePolicyPeerKey({ number, identity });
}

/** Entry of `policy_peers`. */
export function peerMapRow(number: number, identity: number, set: number): MapRow {
  return { key: peerMapKey(number, identity), value: encodePolicyPeer({ set }) };
}

function flagsOf({ isAllowed, staged }: Verdict): number {
  const allowed = isAllowed ? PolicyFlag.allowed : 0;
  if (staged === undefined) return allowed;
  return allowed | PolicyFlag.staged | (staged.isAllowed ? PolicyFlag.stagedAllowed : 0);
}

/** Key of an entry of `policy_sets`. */
export function setMapKey(set: number, row: Pick<SetRow, "prefixLength" | "protocol" | "port">): Uint8Array {
  return encodePolicySetKey({ prefixBits: row.prefixLength, set, protocol: row.protocol, port: row.port });
}

/** Entry of `policy_sets`. */
export function setMapRow(set: number, row: SetRow): MapRow {
  return {
    key: setMapKey(set, row),
    value: encodePolicyVerdict({
      rule: row.verdict.rule,
      logRule: row.verdict.logRule,
      stagedRule: row.verdict.staged?.rule ?? 0,
      flags: flagsOf(row.verdict),
    }),
  };
}

/** Entries of `policy_sets`: the answers of one set. */
export function setMapRows(set: number, rows: readonly SetRow[]): MapRow[] {
  return rows.map((row) => setMapRow(set, row));
}
