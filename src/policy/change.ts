/**
 * From one state of the tables to the next, in an order in which every flow sees the old answer or the new one and nothing
 * between. The ipcache is the caller's: its rows are written between the two lists.
 */

import { type ClassRow, defaultSet, type EndpointClasses, type PolicyTables, type SetRow } from "./table.ts";

/** One write; an undefined value removes. */
export type TableWrite =
  | { readonly table: "sets"; readonly set: number; readonly rows: readonly SetRow[] | undefined }
  | { readonly table: "peers"; readonly class: number; readonly identity: number; readonly set: number | undefined }
  | { readonly table: "classes"; readonly class: number; readonly row: ClassRow | undefined }
  | { readonly table: "endpoints"; readonly key: string; readonly classes: EndpointClasses | undefined };

/** The writes, to be done in their order. */
export interface TableChange {
  /** New answers, and everything that points at them. */
  readonly before: readonly TableWrite[];
  /** New endpoints, and what nothing points at any longer. */
  readonly after: readonly TableWrite[];
}

/** Nothing at all: what a kernel has in which no agent ever ran. */
export const EMPTY_TABLES: PolicyTables = {
  classes: new Map(),
  peers: new Map(),
  sets: new Map(),
  endpoints: new Map(),
  identities: new Map(),
  rules: new Map(),
  overflow: new Map(),
};

/** Calls back for each key that is new or has another value. */
function forChanged<K, V>(
  from: ReadonlyMap<K, V>,
  to: ReadonlyMap<K, V>,
  isSame: (a: V, b: V) => boolean,
  call: (key: K, value: V) => void,
): void {
  if (from === to) return;
  for (const [key, value] of to) {
    const old = from.get(key);
    if (old === undefined || !isSame(old, value)) call(key, value);
  }
}

/** Calls back for each key that is no longer there. */
function forGone<K, V>(from: ReadonlyMap<K, V>, to: ReadonlyMap<K, V>, call: (key: K) => void): void {
  if (from !== to) for (const key of from.keys()) if (!to.has(key)) call(key);
}

const NO_PEERS: ReadonlyMap<number, number> = new Map();

/**
 * Rows for identities that are gone and answered by a default that changes: the ipcache names them until its own turn.
 */
function bridges(from: PolicyTables, to: PolicyTables): { class: number; identity: number; set: number }[] {
  if (from.identities === to.identities) return [];
  const gone = [...from.identities].filter(([identity]) => !to.identities.has(identity));
  if (gone.length === 0) return [];
  return [...from.classes].flatMap(([number, row]) => {
    const next = to.classes.get(number);
    if (next === undefined) return [];
    return gone
      .filter(([identity, family]) => {
        const hasRow = from.peers.get(number)?.has(identity) ?? false;
        return !hasRow && defaultSet(row, family) !== defaultSet(next, family);
      })
      .map(([identity, family]) => ({ class: number, identity, set: defaultSet(row, family) }));
  });
}

/**
 * The writes that make `to` of `from`, between which either the identities or the classes differ (see `Compiler.steps`).
 * A set number stands for the same rows in both: sets never change. An identity that answers by its class's default gets its
 * own row before the default changes, and loses one that it no longer needs after.
 */
export function changeTables(from: PolicyTables, to: PolicyTables): TableChange {
  if (from === to) return { before: [], after: [] };
  const before: TableWrite[] = [];
  const after: TableWrite[] = [];
  forChanged(
    from.sets,
    to.sets,
    () => true,
    (set, rows) => before.push({ table: "sets", set, rows }),
  );
  for (const [number, peers] of to.peers)
    forChanged(from.peers.get(number) ?? NO_PEERS, peers, Object.is, (identity, set) =>
      before.push({ table: "peers", class: number, identity, set }),
    );
  const bridged = bridges(from, to);
  for (const bridge of bridged) before.push({ table: "peers", ...bridge });
  const isSameRow = (a: ClassRow, b: ClassRow) => a.set4 === b.set4 && a.set6 === b.set6;
  forChanged(from.classes, to.classes, isSameRow, (number, row) =>
    before.push({ table: "classes", class: number, row }),
  );
  const isSameEndpoint = (a: EndpointClasses, b: EndpointClasses) => a.ingress === b.ingress && a.egress === b.egress;
  forChanged(from.endpoints, to.endpoints, isSameEndpoint, (key, classes) => {
    // A new endpoint is closed until the ipcache knows its peers by the identities that its class was asked about.
    (from.endpoints.has(key) ? before : after).push({ table: "endpoints", key, classes });
  });
  forGone(from.endpoints, to.endpoints, (key) => after.push({ table: "endpoints", key, classes: undefined }));
  // A class that is gone closes before its peers go: what is left of it must not answer by a default alone.
  forGone(from.classes, to.classes, (number) => after.push({ table: "classes", class: number, row: undefined }));
  for (const [number, peers] of from.peers)
    forGone(peers, to.peers.get(number) ?? NO_PEERS, (identity) =>
      after.push({ table: "peers", class: number, identity, set: undefined }),
    );
  for (const { class: number, identity } of bridged)
    after.push({ table: "peers", class: number, identity, set: undefined });
  forGone(from.sets, to.sets, (set) => after.push({ table: "sets", set, rows: undefined }));
  return { before, after };
}
