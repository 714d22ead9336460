/**
 * What is said of identities: addresses that no atom in use can tell apart have the same number. It is local to a node and
 * needs no one's agreement. `partition.ts` finds them.
 */

import type { Addr } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import type { LabelMap } from "./label-expr.ts";
import type { Atom, Entity, LabelDomain, NamedPort } from "./rule.ts";

/** What is known of every address in a prefix, beside its own facts: network sets, API servers, external backends. */
export interface Overlay {
  readonly prefix: Prefix;
  readonly entities: ReadonlySet<Entity>;
  readonly labels: ReadonlyMap<LabelDomain, readonly LabelMap[]>;
  /** `namespace/name`. */
  readonly services: ReadonlySet<string>;
}

/** A class of addresses. Its answers to atoms that stay in use are always the same. */
export interface Identity {
  readonly number: number;
  readonly family: Addr["family"];
  /** Whether the answer to an atom in use is yes. */
  has(atom: Atom): boolean;
  /** Numbers of the atoms in use whose answer is yes: see `Partition.numberOf`. */
  readonly satisfied: ReadonlySet<number>;
  /** Those whose names are in use. */
  readonly namedPorts: readonly NamedPort[];
}

/** One entry of the ipcache: the longest prefix that holds an address says its identity. */
export interface IdentityRow {
  readonly prefix: Prefix;
  readonly identity: number;
}

/** What to write to have the rows of now. */
export interface IdentityChanges {
  readonly put: readonly IdentityRow[];
  readonly removed: readonly Prefix[];
}
