/** The sets of backends that flows choose from: numbers, members and slots, and what has changed since the last time. */

import { exact } from "../base/exact.ts";
import { type BackendBook, named } from "./backend-book.ts";
import { type BackendKey, backendNumber } from "./backend-columns.ts";
import { maglevTable } from "./maglev.ts";
import { Numbers } from "./numbers.ts";
import type { ServiceWrites, SlotKey, SlotRow } from "./rows.ts";
import type { PortPlan } from "./service-plan.ts";

/** Of all backends, or of those of this node. */
export type SetKind = "cluster" | "local";

export const SET_KINDS: readonly SetKind[] = ["cluster", "local"];

/** Numbers of backends by index. */
type Slots = ArrayLike<number> & Iterable<number>;

/** A set as it stands. */
export interface SetState {
  readonly number: number;
  /** Each once; the same list as what its port holds where all are in it. */
  readonly members: readonly BackendKey[];
  /** What besides the members makes the slots. */
  readonly shape: string;
  /** Members by index, where they are not simply one behind the other. */
  readonly table: Uint32Array | undefined;
}

/** What a set becomes. */
interface WantedSet {
  readonly port: PortPlan;
  readonly kind: SetKind;
  /** What the port holds: these and others. */
  readonly held: readonly BackendKey[];
  /** What it was before; undefined: it is new. */
  readonly before: SetState | undefined;
  /** Its number in the kernel, where an earlier agent left it. */
  readonly adopted: () => number | undefined;
}

const NO_SLOTS: Slots = [];

const setName = (port: string, kind: SetKind) => `${port} ${kind}`;

/** Slots of a set. */
export const countOf = (set: SetState | undefined): number => set?.table?.length ?? set?.members.length ?? 0;

/** Slots that a set of a port will have. */
export function slotCount(p: PortPlan, kind: SetKind): number {
  const members = p.choice[kind].length;
  return members > 0 && p.algorithm === "maglev" ? p.maglevSize : members;
}

/** The first of the lists that has the same members in the same order, else the last. */
export function sharedList(
  ...lists: [...(readonly BackendKey[] | undefined)[], readonly BackendKey[]]
): readonly BackendKey[] {
  const now = lists.at(-1) as readonly BackendKey[];
  return lists.find((l) => l?.length === now.length && now.every((b, i) => l[i] === b)) ?? now;
}

function slotsOf(set: SetState | undefined): Slots {
  if (set === undefined) return NO_SLOTS;
  const { members, table } = set;
  return table === undefined ? members.map(backendNumber) : table.map((i) => backendNumber(members[i] ?? 0));
}

/** See the file's comment. */
export class SetBook {
  readonly #backends: BackendBook;
  readonly #numbers = new Numbers();
  readonly #sets = new Map<number, SetState>();
  #slots = 0;
  // Since the last settling: what stood there before it.
  readonly #before = new Map<number, SetState | undefined>();
  #hasGone = false;

  /** @param backends which count the sets that they are in */
  constructor(backends: BackendBook) {
    this.#backends = backends;
  }

  /** Slots of all sets. */
  get slotTotal(): number {
    return this.#slots;
  }

  /** Whether a member has left a set since the last settling. */
  get hasGone(): boolean {
    return this.#hasGone;
  }

  /** The same state as before, where nothing has changed. */
  take({ port, kind, held, before, adopted }: WantedSet): SetState {
    const names = [...named(port.choice[kind]).keys()];
    const chosen = names.flatMap((name) => this.#backends.find(name) ?? []);
    const members = sharedList(before?.members, held, exact(chosen));
    const shape = port.algorithm === "maglev" ? `maglev ${port.maglevSize}` : "random";
    if (before?.shape === shape && before.members === members) return before;
    const number = before?.number ?? this.#numbers.take(setName(port.name, kind), adopted());
    // First those that come: one that stays must not be counted out meanwhile.
    for (const b of members) this.#backends.count(b, 1);
    for (const b of before?.members ?? []) this.#backends.count(b, -1);
    const isMaglev = port.algorithm === "maglev" && members.length > 0;
    const set = { number, members, shape, table: isMaglev ? maglevTable(names, port.maglevSize) : undefined };
    this.#note(number);
    this.#sets.set(number, set);
    this.#slots += countOf(set) - countOf(before);
    const now = new Set(members);
    if (before?.members.some((b) => !now.has(b)) === true) this.#hasGone = true;
    return set;
  }

  /** @param port its name */
  remove(port: string, kind: SetKind, set: SetState): void {
    this.#note(set.number);
    this.#sets.delete(set.number);
    this.#slots -= countOf(set);
    for (const b of set.members) this.#backends.count(b, -1);
    this.#numbers.release(setName(port, kind));
    this.#hasGone = true;
  }

  /** Backends' numbers by index. */
  slots(set: number): Slots {
    return slotsOf(this.#sets.get(set));
  }

  /** How many there are, of no set none. */
  slotCount(set: number): number {
    return countOf(this.#sets.get(set));
  }

  /** The backend's number at one index; undefined: nobody stands there. */
  slot(set: number, index: number): number | undefined {
    const state = this.#sets.get(set);
    const at = state?.table === undefined ? index : state.table[index];
    const member = at === undefined ? undefined : state?.members[at];
    return member === undefined ? undefined : backendNumber(member);
  }

  numbers(): Iterable<number> {
    return this.#sets.keys();
  }

  /** What has to be written since the last settling. */
  changes(): Pick<ServiceWrites, "slots" | "goneSlots"> {
    const slots: SlotRow[] = [];
    const goneSlots: SlotKey[] = [];
    for (const [set, before] of this.#before) {
      const [old, now] = [slotsOf(before), this.slots(set)];
      for (const [index, backend] of Array.from(now).entries())
        if (old[index] !== backend) slots.push({ set, index, backend });
      for (let index = now.length; index < old.length; index++) goneSlots.push({ set, index });
    }
    return { slots, goneSlots };
  }

  /** Forgets what has changed: it is written. */
  settle(): void {
    this.#numbers.settle();
    this.#before.clear();
    this.#hasGone = false;
  }

  #note(number: number): void {
    if (!this.#before.has(number)) this.#before.set(number, this.#sets.get(number));
  }
}
