/** Policy's maps in the kernel: writes in a given order, batched, and what an earlier agent or a failure left. */

import type { Kernel } from "../../kernel/kernel.ts";
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
import type { Partition } from "../../policy/partition.ts";
import type { PolicyTables, SetRow } from "../../policy/table.ts";
import { Comparison } from "../compare/comparison.ts";
import { noteChange } from "../generation.ts";
import { wantedPolicy } from "./wanted-policy.ts";

type MapKernel = Pick<Kernel, "mapPage" | "mapGet" | "putMapRows" | "deleteMapKeys">;

/** Rows in one call to the kernel. */
const BATCH_ROWS = 4096;

/** Numbers that no agent of this boot has used. */
export interface FreeNumbers {
  readonly bank: number;
  readonly first: FirstNumbers;
}

/**
 * Entries of a map, some at a time: there may be a hundred thousand. Nobody else writes to these maps, and we do not while we walk:
 * a walk ends, and shows each once.
 */
function* rowsOf(kernel: MapKernel, map: string): Generator<MapRow> {
  let cursor: Uint8Array | undefined;
  do {
    const page = kernel.mapPage(map, cursor, BATCH_ROWS);
    yield* page.rows;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** What stands in the maps is left alone; numbers above it are free. */
export function freeNumbers(kernel: MapKernel): FreeNumbers {
  const highest = { bank: 0, class: 0, set: 0, rule: 0 };
  const note = (what: keyof typeof highest, number: number) => {
    highest[what] = Math.max(highest[what], number);
  };
  for (const { key } of rowsOf(kernel, POLICY_MAPS.identities)) note("bank", decodeIdentityKey(key).bank);
  for (const { key } of rowsOf(kernel, POLICY_MAPS.classes)) note("class", decodePolicyClassKey(key).number);
  for (const { key, value } of rowsOf(kernel, POLICY_MAPS.sets)) {
    note("set", decodePolicySetKey(key).set);
    note("rule", highestRule(value));
  }
  return {
    bank: highest.bank + 1,
    first: { class: highest.class + 1, set: highest.set + 1, rule: highest.rule + 1 },
  };
}

function highestRule(value: Uint8Array): number {
  const v = decodePolicyVerdict(value);
  return Math.max(v.rule, v.logRule, v.stagedRule);
}

/** Who has which classes from now on. */
export type EndpointWrite = Extract<TableWrite, { readonly table: "endpoints" }>;

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
  readonly #comparison: Comparison;

  constructor(kernel: MapKernel, bank: number) {
    this.#kernel = kernel;
    this.#comparison = new Comparison(kernel);
    this.bank = bank;
  }

  /**
   * Does the writes in their order.
   * @param putEndpoints for those to which classes are given, all that follow each other at once
   * @throws KernelError of the first that fails; those after it are not done
   */
  write(writes: readonly TableWrite[], putEndpoints: (writes: readonly EndpointWrite[]) => void): void {
    let run: Run | undefined;
    let endpoints: EndpointWrite[] = [];
    const next = (map: string, isPut: boolean): Run => {
      const fits = run?.map === map && (isPut ? run.deletes.length === 0 : run.puts.length === 0);
      if (run !== undefined && !fits) this.#flush(run);
      if (run === undefined || !fits) run = { map, puts: [], deletes: [] };
      return run;
    };
    for (const w of writes) {
      if (w.table !== "endpoints" && endpoints.length > 0) {
        putEndpoints(endpoints);
        endpoints = [];
      }
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
          endpoints.push(w);
          break;
      }
    }
    if (run !== undefined) this.#flush(run);
    if (endpoints.length > 0) putEndpoints(endpoints);
  }

  writeIdentities(put: readonly IdentityRow[], removed: readonly Prefix[]): void {
    const map = POLICY_MAPS.identities;
    // Some at a time: at the start these are the addresses of the whole cluster.
    for (let i = 0; i < put.length; i += BATCH_ROWS) {
      const puts = put.slice(i, i + BATCH_ROWS).map((r) => identityMapRow(this.bank, r));
      this.#flush({ map, puts, deletes: [] });
    }
    this.#flush({ map, puts: [], deletes: removed.map((prefix) => identityMapKey(this.bank, prefix)) });
  }

  /** Flows are judged anew from now on. */
  announce(): void {
    noteChange(this.#kernel, GenerationOf.policy);
  }

  /**
   * Compares all maps with what should be there, other banks' rows among it, in steps: see {@link Comparison.compare}.
   * @param tables as they are whenever it is asked
   */
  *compare(
    tables: () => PolicyTables,
    partition: Pick<Partition, "rows" | "rowOf">,
  ): Generator<void, number | undefined> {
    const wanted = wantedPolicy(this.bank, tables, partition);
    const found = yield* this.#comparison.compare(wanted, () => this.announce());
    if (found === undefined) return undefined;
    this.#sets.clear();
    for (const [set, rows] of tables().sets) this.#sets.set(set, rows);
    return found;
  }

  #flush({ map, puts, deletes }: Run): void {
    for (let i = 0; i < puts.length; i += BATCH_ROWS) this.#kernel.putMapRows(map, puts.slice(i, i + BATCH_ROWS));
    for (let i = 0; i < deletes.length; i += BATCH_ROWS)
      this.#kernel.deleteMapKeys(map, deletes.slice(i, i + BATCH_ROWS));
    this.#comparison.wrote(map, puts);
    this.#comparison.deleted(map, deletes);
  }
}
