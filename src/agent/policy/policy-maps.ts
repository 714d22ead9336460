/** Policy's maps in the kernel: writes in a given order, batched, and what an earlier agent or a failure left. */

import type { Kernel } from "../../kernel/kernel.ts";
import { bytesKey } from "../../net/bytes-key.ts";
import {
  decodeIdentityKey,
  decodePolicyClassKey,
  decodePolicySetKey,
  decodePolicyVerdict,
  GenerationOf,
} from "../../net/gen/bpf-maps.ts";
import type { Prefix } from "../../net/prefix.ts";
import {
  classMapKey,
  classMapRow,
  identityMapKey,
  identityMapRow,
  POLICY_MAPS,
  peerMapKey,
  peerMapRow,
  setMapKey,
  setMapRows,
} from "../../plan/policy-rows.ts";
import type { MapRow } from "../../plan/rows.ts";
import type { TableWrite } from "../../policy/change.ts";
import type { FirstNumbers } from "../../policy/compile.ts";
import type { IdentityRow } from "../../policy/identity.ts";
import type { PolicyTables, SetRow } from "../../policy/table.ts";
import { noteChange } from "../generation.ts";

type MapKernel = Pick<Kernel, "mapRows" | "mapGet" | "putMapRows" | "deleteMapKeys">;

/** Rows in one call to the kernel. */
const BATCH_ROWS = 4096;

/** Numbers that no agent of this boot has used. */
export interface FreeNumbers {
  readonly bank: number;
  readonly first: FirstNumbers;
}

/** What stands in the maps is left alone; numbers above it are free. */
export function freeNumbers(kernel: MapKernel): FreeNumbers {
  const above = (rows: readonly MapRow[], numberOf: (row: MapRow) => number) =>
    rows.reduce((highest, row) => Math.max(highest, numberOf(row)), 0) + 1;
  const sets = kernel.mapRows(POLICY_MAPS.sets);
  return {
    bank: above(kernel.mapRows(POLICY_MAPS.identities), (r) => decodeIdentityKey(r.key).bank),
    first: {
      class: above(kernel.mapRows(POLICY_MAPS.classes), (r) => decodePolicyClassKey(r.key).number),
      set: above(sets, (r) => decodePolicySetKey(r.key).set),
      rule: above(sets, (r) => highestRule(r.value)),
    },
  };
}

function highestRule(value: Uint8Array): number {
  const v = decodePolicyVerdict(value);
  return Math.max(v.rule, v.logRule, v.stagedRule);
}

/** Rows of one kind that follow each other are one call: their order among themselves does not matter. */
interface Run {
  readonly map: string;
  readonly puts: MapRow[];
  readonly deletes: Uint8Array[];
}

/** See the file's comment. */
export class PolicyMaps {
  readonly bank: number;
  readonly #kernel: MapKernel;
  /** Sets as written, by number: a set's rows are needed to remove it. */
  readonly #sets = new Map<number, readonly SetRow[]>();

  constructor(kernel: MapKernel, bank: number) {
    this.#kernel = kernel;
    this.bank = bank;
  }

  /**
   * Does the writes in their order.
   * @param putEndpoint for what a class is given to
   * @throws KernelError of the first that fails; those after it are not done
   */
  write(writes: readonly TableWrite[], putEndpoint: (write: TableWrite & { table: "endpoints" }) => void): void {
    let run: Run | undefined;
    const next = (map: string, isPut: boolean): Run => {
      const fits = run?.map === map && (isPut ? run.deletes.length === 0 : run.puts.length === 0);
      if (run !== undefined && !fits) this.#flush(run);
      if (run === undefined || !fits) run = { map, puts: [], deletes: [] };
      return run;
    };
    for (const w of writes) {
      switch (w.table) {
        case "sets":
          if (w.rows === undefined) {
            const gone = this.#sets.get(w.set) ?? [];
            next(POLICY_MAPS.sets, false).deletes.push(...gone.map((row) => setMapKey(w.set, row)));
            this.#sets.delete(w.set);
          } else {
            next(POLICY_MAPS.sets, true).puts.push(...setMapRows(w.set, w.rows));
            this.#sets.set(w.set, w.rows);
          }
          break;
        case "peers":
          if (w.set === undefined) next(POLICY_MAPS.peers, false).deletes.push(peerMapKey(w.class, w.identity));
          else next(POLICY_MAPS.peers, true).puts.push(peerMapRow(w.class, w.identity, w.set));
          break;
        case "classes":
          if (w.row === undefined) next(POLICY_MAPS.classes, false).deletes.push(classMapKey(w.class));
          else next(POLICY_MAPS.classes, true).puts.push(classMapRow(this.bank, w.class, w.row));
          break;
        case "endpoints":
          if (run !== undefined) this.#flush(run);
          run = undefined;
          putEndpoint(w);
          break;
      }
    }
    if (run !== undefined) this.#flush(run);
  }

  writeIdentities(put: readonly IdentityRow[], removed: readonly Prefix[]): void {
    this.#flush({ map: POLICY_MAPS.identities, puts: put.map((r) => identityMapRow(this.bank, r)), deletes: [] });
    const deletes = removed.map((prefix) => identityMapKey(this.bank, prefix));
    this.#flush({ map: POLICY_MAPS.identities, puts: [], deletes });
  }

  /** Flows are judged anew from now on. */
  announce(): void {
    noteChange(this.#kernel, GenerationOf.policy);
  }

  /**
   * Compares all maps with what should be there and writes the difference: what is missing or wrong first, then what is
   * pointed at by nobody, other banks' rows among it.
   * @returns rows that were not as they should be
   */
  mend(tables: PolicyTables, identities: Iterable<IdentityRow>): number {
    const wanted: [string, MapRow[]][] = [
      [POLICY_MAPS.sets, [...tables.sets].flatMap(([set, rows]) => setMapRows(set, rows))],
      [
        POLICY_MAPS.peers,
        [...tables.peers].flatMap(([number, peers]) => [...peers].map(([id, set]) => peerMapRow(number, id, set))),
      ],
      [POLICY_MAPS.identities, [...identities].map((row) => identityMapRow(this.bank, row))],
      [POLICY_MAPS.classes, [...tables.classes].map(([number, row]) => classMapRow(this.bank, number, row))],
    ];
    const excess: Run[] = [];
    let found = 0;
    for (const [map, rows] of wanted) {
      const missing = new Map(rows.map((row) => [bytesKey(row.key), row]));
      const deletes: Uint8Array[] = [];
      for (const { key, value } of this.#kernel.mapRows(map)) {
        const row = missing.get(bytesKey(key));
        if (row === undefined) deletes.push(key);
        else if (bytesKey(row.value) === bytesKey(value)) missing.delete(bytesKey(key));
      }
      this.#flush({ map, puts: [...missing.values()], deletes: [] });
      excess.unshift({ map, puts: [], deletes });
      found += missing.size + deletes.length;
    }
    for (const run of excess) this.#flush(run);
    this.#sets.clear();
    for (const [set, rows] of tables.sets) this.#sets.set(set, rows);
    return found;
  }

  #flush({ map, puts, deletes }: Run): void {
    for (let i = 0; i < puts.length; i += BATCH_ROWS) this.#kernel.putMapRows(map, puts.slice(i, i + BATCH_ROWS));
    for (let i = 0; i < deletes.length; i += BATCH_ROWS)
      this.#kernel.deleteMapKeys(map, deletes.slice(i, i + BATCH_ROWS));
  }
}
