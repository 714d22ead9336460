/**
 * The tables as they grow from one compilation to the next. Only the classes that are put are looked at, and the change from
 * what was told last is made of what they touched.
 */

import type { Family } from "../net/addr.ts";
import { changeTables, EMPTY_TABLES, type TableChange } from "./change.ts";
import type { FoundAnswers } from "./class-answers.ts";
import { CLOSED, type ClassRow, type EndpointClasses, type PolicyTables, type RuleInfo, type SetRow } from "./table.ts";

/** What stands for a class: its answers, or why it is closed. */
export type Placed = FoundAnswers | string;

const NO_SETS: FoundAnswers["sets"] = new Map();
const CLOSED_ROW: ClassRow = { set4: CLOSED, set6: CLOSED };
const setsOf = (placed: Placed | undefined) =>
  placed === undefined || typeof placed === "string" ? NO_SETS : placed.sets;

/** What was there before it was touched; undefined: nothing. */
type Before<V> = Map<number, V | undefined>;

function note<V>(before: Before<V>, key: number, now: ReadonlyMap<number, V>): void {
  if (!before.has(key)) before.set(key, now.get(key));
}

/** Of what was touched, that which is there. */
function thereOf<V>(keys: Iterable<number>, at: ReadonlyMap<number, V | undefined>): Map<number, V> {
  const there = new Map<number, V>();
  for (const key of keys) {
    const value = at.get(key);
    if (value !== undefined) there.set(key, value);
  }
  return there;
}

/** See the file's comment. */
export class TableDraft {
  readonly #placed = new Map<number, Placed>();
  readonly #classes = new Map<number, ClassRow>();
  readonly #peers = new Map<number, ReadonlyMap<number, number>>();
  readonly #sets = new Map<number, readonly SetRow[]>();
  readonly #identities = new Map<number, Family>();
  readonly #overflow = new Map<number, string>();
  /** How many classes have which set. */
  readonly #setUsers = new Map<number, number>();
  readonly #classesBefore: Before<ClassRow> = new Map();
  readonly #peersBefore: Before<ReadonlyMap<number, number>> = new Map();
  readonly #setsBefore: Before<readonly SetRow[]> = new Map();
  readonly #goneIdentities = new Map<number, Family>();
  #endpoints: ReadonlyMap<string, EndpointClasses> = new Map();
  #endpointsBefore = this.#endpoints;
  /** All of it, as it is now and will be: others see it change. */
  readonly #rules: ReadonlyMap<number, RuleInfo>;

  constructor(rules: ReadonlyMap<number, RuleInfo>) {
    this.#rules = rules;
  }

  /** What stands for a class from now on. undefined: there is no such class. */
  put(number: number, next: Placed | undefined): void {
    const old = this.#placed.get(number);
    if (old === next) return;
    note(this.#classesBefore, number, this.#classes);
    note(this.#peersBefore, number, this.#peers);
    const [before, after] = [setsOf(old), setsOf(next)];
    for (const [set, { rows }] of after) if (!before.has(set)) this.#hold(set, rows);
    for (const set of before.keys()) if (!after.has(set)) this.#release(set);
    this.#peers.delete(number);
    this.#overflow.delete(number);
    if (next === undefined) {
      this.#placed.delete(number);
      this.#classes.delete(number);
      return;
    }
    this.#placed.set(number, next);
    if (typeof next === "string") {
      this.#classes.set(number, CLOSED_ROW);
      this.#overflow.set(number, next);
      return;
    }
    this.#classes.set(number, next.row);
    if (next.peers.size > 0) this.#peers.set(number, next.peers);
  }

  /** All endpoints. The same object: nothing is different. */
  putEndpoints(endpoints: ReadonlyMap<string, EndpointClasses>): void {
    this.#endpoints = endpoints;
  }

  addIdentity(number: number, family: Family): void {
    this.#identities.set(number, family);
  }

  removeIdentity(number: number): void {
    const family = this.#identities.get(number);
    if (family === undefined) return;
    this.#identities.delete(number);
    this.#goneIdentities.set(number, family);
  }

  /** The tables as they are. Only endpoints are sure to stay as they are in what was returned. */
  tables(): PolicyTables {
    return {
      classes: this.#classes,
      peers: this.#peers,
      sets: this.#sets,
      endpoints: this.#endpoints,
      identities: this.#identities,
      rules: this.#rules,
      overflow: this.#overflow,
    };
  }

  /** What makes the tables of those that this was asked for last. */
  takeChange(): TableChange {
    const touched = <V>(before: Before<V>, now: ReadonlyMap<number, V>) =>
      [thereOf(before.keys(), before), thereOf(before.keys(), now)] as const;
    const [oldClasses, classes] = touched(this.#classesBefore, this.#classes);
    const [oldPeers, peers] = touched(this.#peersBefore, this.#peers);
    const [oldSets, sets] = touched(this.#setsBefore, this.#sets);
    const change = changeTables(
      {
        ...EMPTY_TABLES,
        classes: oldClasses,
        peers: oldPeers,
        sets: oldSets,
        endpoints: this.#endpointsBefore,
        identities: new Map(this.#goneIdentities),
      },
      { ...EMPTY_TABLES, classes, peers, sets, endpoints: this.#endpoints },
    );
    for (const map of [this.#classesBefore, this.#peersBefore, this.#setsBefore, this.#goneIdentities]) map.clear();
    this.#endpointsBefore = this.#endpoints;
    return change;
  }

  #hold(set: number, rows: readonly SetRow[]): void {
    const users = this.#setUsers.get(set) ?? 0;
    this.#setUsers.set(set, users + 1);
    if (users > 0) return;
    note(this.#setsBefore, set, this.#sets);
    this.#sets.set(set, rows);
  }

  #release(set: number): void {
    const users = (this.#setUsers.get(set) ?? 0) - 1;
    if (users > 0) {
      this.#setUsers.set(set, users);
      return;
    }
    this.#setUsers.delete(set);
    note(this.#setsBefore, set, this.#sets);
    this.#sets.delete(set);
  }
}
