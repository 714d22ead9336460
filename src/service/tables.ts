/**
 * The tables of all services of a node: plans go in, one service after the other, writes come out. A change of one service
 * costs what that service has.
 */

import { ServiceFlag } from "../net/gen/bpf-maps.ts";
import type { Prefix } from "../net/prefix.ts";
import { BackendBook, named } from "./backend-book.ts";
import { type Frontend, type FrontendKind, frontendName } from "./frontends.ts";
import { maglevTable } from "./maglev.ts";
import { Numbers } from "./numbers.ts";
import {
  type BackendRow,
  type FrontendRow,
  isSameServiceRow,
  type ServiceRow,
  type ServiceWrites,
  type SlotKey,
  type SlotRow,
  type SourceRow,
} from "./rows.ts";
import type { Answers, PlannedFrontend, PortPlan, ServicePlan } from "./service-plan.ts";

/** Rows that the maps take. */
export interface TableLimits {
  readonly services: number;
  readonly slots: number;
  readonly backends: number;
  readonly sources: number;
}

/** What an earlier agent left in the kernel: its numbers go on. */
export interface Adopted {
  /** By frontend's name. */
  readonly services: ReadonlyMap<string, ServiceRow>;
  /** Numbers by backend's name. */
  readonly backends: ReadonlyMap<string, number>;
}

const NOTHING: Adopted = { services: new Map(), backends: new Map() };

type SetKind = "cluster" | "local";

interface SetState {
  readonly name: string;
  readonly number: number;
  /** Names of the backends in it, each once. */
  readonly members: readonly string[];
  /** What besides the members makes the slots. */
  readonly shape: string;
  /** Numbers of backends by index. */
  readonly slots: Uint32Array;
}

interface PortState {
  readonly name: string;
  readonly number: number;
  readonly sets: Readonly<Partial<Record<SetKind, SetState>>>;
  /** Names of those that serve, in a set or not, with their numbers. */
  readonly held: ReadonlyMap<string, number>;
  readonly claims: readonly Claim[];
  readonly sources: readonly Prefix[];
}

/** A port's wish for a frontend. */
interface Claim {
  readonly owner: string;
  readonly created: string;
  readonly kind: FrontendKind;
  readonly frontend: Frontend;
  readonly name: string;
  readonly row: ServiceRow;
}

/** A cluster IP is the API's own word; of others the older claim counts, so that nobody can take an address away. */
function compareClaims(a: Claim, b: Claim): number {
  const byKind = Number(a.kind !== "ClusterIP") - Number(b.kind !== "ClusterIP");
  if (byKind !== 0) return byKind;
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.owner < b.owner ? -1 : 1;
}

const EMPTY_SLOTS = new Uint32Array(0);

function kindsOf(p: PortPlan): SetKind[] {
  const used = new Set<Answers>(p.frontends.flatMap((f) => [f.inside, f.outside]));
  return (["cluster", "local"] as const).filter((k) => used.has(k));
}

function slotCount(p: PortPlan, kind: SetKind): number {
  const members = p.choice[kind].length;
  return members > 0 && p.algorithm === "maglev" ? p.maglevSize : members;
}

/** See the file's comment. */
export class ServiceTables {
  readonly limits: TableLimits;
  readonly #numbers = new Numbers();
  readonly #setNumbers = new Numbers();
  readonly #backends: BackendBook;
  readonly #byService = new Map<string, readonly PortState[]>();
  readonly #byNumber = new Map<number, PortState>();
  readonly #claims = new Map<string, readonly Claim[]>();
  readonly #sets = new Map<number, SetState>();
  readonly #overflow = new Set<string>();
  #adopted: Adopted;
  #slots = 0;
  #sourceCount = 0;
  // Since the last commit: what stood there before it.
  readonly #setsBefore = new Map<number, Uint32Array>();
  readonly #claimsBefore = new Map<string, Claim | undefined>();
  readonly #sourcesBefore = new Map<number, readonly Prefix[]>();
  #hasGone = false;

  constructor(limits: TableLimits, adopted: Adopted = NOTHING) {
    this.limits = limits;
    this.#adopted = adopted;
    this.#backends = new BackendBook(adopted.backends);
  }

  /** Rows by table. */
  counts(): TableLimits {
    return {
      services: this.#claims.size,
      slots: this.#slots,
      backends: this.#backends.size,
      sources: this.#sourceCount,
    };
  }

  /** Services that found no room: they have no rows. */
  get overflow(): ReadonlySet<string> {
    return this.#overflow;
  }

  /** Takes over what a service has become; undefined: it is gone. @param key `namespace/name` */
  apply(key: string, plan: ServicePlan | undefined): void {
    const before = this.#byService.get(key) ?? [];
    const wanted = plan?.ports ?? [];
    const fits = wanted.length === 0 || this.#fits(before, wanted);
    if (fits) this.#overflow.delete(key);
    else this.#overflow.add(key);
    const old = new Map(before.map((p) => [p.name, p]));
    const ports = (fits ? wanted : []).map((p) => {
      const state = this.#take(p, old.get(p.name));
      old.delete(p.name);
      return state;
    });
    for (const gone of old.values()) this.#remove(gone);
    if (ports.length > 0) this.#byService.set(key, ports);
    else this.#byService.delete(key);
  }

  /** What has to be written since the last call. */
  commit(): ServiceWrites {
    const { put, gone } = this.#backends.changes();
    const slots: SlotRow[] = [];
    const goneSlots: SlotKey[] = [];
    for (const [set, before] of this.#setsBefore) {
      const after = this.#sets.get(set)?.slots ?? EMPTY_SLOTS;
      for (const [index, backend] of after.entries())
        if (before[index] !== backend) slots.push({ set, index, backend });
      for (let index = after.length; index < before.length; index++) goneSlots.push({ set, index });
    }
    const writes = {
      backends: put,
      slots,
      ...this.#sourceWrites(),
      ...this.#frontendWrites(),
      goneSlots,
      goneBackends: gone,
      hasGone: this.#hasGone,
    };
    this.#forgetChanges();
    return writes;
  }

  /** Whether a backend still serves what a flow asked for, even if it is about to end. */
  isServing(service: number, backend: number): boolean {
    for (const number of this.#byNumber.get(service)?.held.values() ?? []) if (number === backend) return true;
    return false;
  }

  /** Whether a backend gets new flows of a service. */
  isMember(service: number, backend: number): boolean {
    const sets = Object.values(this.#byNumber.get(service)?.sets ?? {});
    return sets.some((s) => s.members.some((m) => this.#backends.number(m) === backend));
  }

  /** `namespace/name:port/protocol/family` of a number. */
  nameOf(service: number): string | undefined {
    return this.#byNumber.get(service)?.name;
  }

  /** Number of a port by its name. */
  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** Number of a backend by its name; 0: it has none. */
  backendNumber(name: string): number {
    return this.#backends.number(name);
  }

  /** Whose a frontend is that a port claims in vain; undefined: it is its own. */
  ownerInstead(frontend: Frontend, port: string): string | undefined {
    const owner = this.#claims.get(frontendName(frontend))?.[0]?.owner;
    return owner === port ? undefined : owner;
  }

  *frontendRows(): Generator<FrontendRow> {
    for (const [first] of this.#claims.values()) if (first !== undefined) yield first;
  }

  /** Backends' numbers by set and index. */
  slots(set: number): Uint32Array {
    return this.#sets.get(set)?.slots ?? EMPTY_SLOTS;
  }

  sets(): Iterable<number> {
    return this.#sets.keys();
  }

  frontendRow(name: string): ServiceRow | undefined {
    return this.#claims.get(name)?.[0]?.row;
  }

  backendRows(): Generator<BackendRow> {
    return this.#backends.rows();
  }

  *sourceRows(): Generator<SourceRow> {
    for (const { number, sources } of this.#byNumber.values())
      for (const prefix of sources) yield { service: number, prefix };
  }

  #fits(before: readonly PortState[], wanted: readonly PortPlan[]): boolean {
    const now = this.counts();
    const names = new Set(wanted.flatMap((p) => p.frontends.map(frontendName)));
    const fresh = new Set<string>();
    let services = now.services + [...names].filter((n) => !this.#claims.has(n)).length;
    let { slots, sources } = now;
    for (const p of before) {
      services -= p.claims.filter((c) => !names.has(c.name) && this.#claims.get(c.name)?.length === 1).length;
      slots -= (p.sets.cluster?.slots.length ?? 0) + (p.sets.local?.slots.length ?? 0);
      sources -= p.sources.length;
    }
    for (const p of wanted) {
      sources += p.sources.length;
      for (const kind of kindsOf(p)) {
        slots += slotCount(p, kind);
        for (const name of named(p.choice[kind]).keys()) if (!this.#backends.hasRow(name)) fresh.add(name);
      }
    }
    const { limits } = this;
    return (
      services <= limits.services &&
      slots <= limits.slots &&
      sources <= limits.sources &&
      now.backends + fresh.size <= limits.backends
    );
  }

  #take(p: PortPlan, before: PortState | undefined): PortState {
    const number = this.#numbers.take(p.name, this.#adoptedNumber(p));
    const held = this.#hold(p, before?.held);
    const sets = Object.fromEntries(kindsOf(p).map((kind) => [kind, this.#takeSet(p, kind, before?.sets[kind])]));
    for (const kind of ["cluster", "local"] as const) {
      const old = before?.sets[kind];
      if (old !== undefined && sets[kind] === undefined) this.#removeSet(old);
    }
    for (const name of before?.held.keys() ?? []) if (!held.has(name)) this.#release(name);
    const claims = p.frontends.map((f) => this.#claimOf(p, number, sets, f));
    const state: PortState = { name: p.name, number, sets, held, claims, sources: p.sources };
    this.#claim(before?.claims ?? [], claims);
    this.#noteSources(number, before?.sources ?? []);
    this.#sourceCount += p.sources.length - (before?.sources.length ?? 0);
    this.#byNumber.set(number, state);
    return state;
  }

  #remove(p: PortState): void {
    this.#claim(p.claims, []);
    for (const set of Object.values(p.sets)) this.#removeSet(set);
    for (const name of p.held.keys()) this.#release(name);
    this.#noteSources(p.number, p.sources);
    this.#sourceCount -= p.sources.length;
    this.#byNumber.delete(p.number);
    this.#numbers.release(p.name);
    this.#hasGone = true;
  }

  #adoptedNumber(p: PortPlan): number | undefined {
    for (const f of p.frontends) {
      const row = this.#adopted.services.get(frontendName(f));
      if (row !== undefined) return row.number;
    }
    return undefined;
  }

  #adoptedSet(p: PortPlan, kind: SetKind): number | undefined {
    for (const f of p.frontends) {
      const row = this.#adopted.services.get(frontendName(f));
      if (row === undefined) continue;
      if (f.inside === kind && row.insideSet !== 0) return row.insideSet;
      if (f.outside === kind && row.outsideSet !== 0) return row.outsideSet;
    }
    return undefined;
  }

  #hold(p: PortPlan, before: ReadonlyMap<string, number> | undefined): ReadonlyMap<string, number> {
    const serving = named(p.backends.filter(({ state }) => state.isReady || state.isServing));
    return new Map(
      Array.from(serving, ([name, b]) => [name, before?.get(name) ?? this.#backends.hold(b, name)] as const),
    );
  }

  #release(name: string): void {
    this.#backends.drop(name);
    this.#hasGone = true;
  }

  #takeSet(p: PortPlan, kind: SetKind, before: SetState | undefined): SetState {
    const members = [...named(p.choice[kind]).keys()];
    const shape = p.algorithm === "maglev" ? `maglev ${p.maglevSize}` : "random";
    const isSame =
      before?.shape === shape &&
      before.members.length === members.length &&
      members.every((name, i) => before.members[i] === name);
    if (isSame) return before;
    const name = `${p.name} ${kind}`;
    const number = before?.number ?? this.#setNumbers.take(name, this.#adoptedSet(p, kind));
    // First those that come: one that stays must not be counted out meanwhile.
    for (const m of members) this.#backends.count(m, 1);
    for (const m of before?.members ?? []) this.#backends.count(m, -1);
    const set = { name, number, members, shape, slots: this.#slotsOf(p, members) };
    this.#noteSet(number);
    this.#sets.set(number, set);
    this.#slots += set.slots.length - (before?.slots.length ?? 0);
    const now = new Set(members);
    if (before?.members.some((m) => !now.has(m)) === true) this.#hasGone = true;
    return set;
  }

  #slotsOf(p: PortPlan, members: readonly string[]): Uint32Array {
    const numbers = Uint32Array.from(members, (m) => this.#backends.number(m));
    if (p.algorithm === "random" || numbers.length === 0) return numbers;
    return maglevTable(members, p.maglevSize).map((i) => numbers[i] ?? 0);
  }

  #removeSet(set: SetState): void {
    this.#noteSet(set.number);
    this.#sets.delete(set.number);
    this.#slots -= set.slots.length;
    for (const m of set.members) this.#backends.count(m, -1);
    this.#setNumbers.release(set.name);
    this.#hasGone = true;
  }

  #claimOf(p: PortPlan, number: number, sets: PortState["sets"], f: PlannedFrontend): Claim {
    const at = (kind: Answers) => {
      const set = kind === undefined ? undefined : sets[kind];
      return set === undefined || set.slots.length === 0 ? [0, 0] : [set.number, set.slots.length];
    };
    const [insideSet = 0, insideCount = 0] = at(f.inside);
    const [outsideSet = 0, outsideCount = 0] = at(f.outside);
    // Nobody anywhere is told at once; nobody here is dropped, since a load balancer will learn to ask elsewhere.
    const local = (kind: Answers, flag: number) => (kind === "local" && p.choice.hasAny ? flag : 0);
    const flags =
      (f.outside === undefined ? 0 : ServiceFlag.outside) |
      local(f.outside, ServiceFlag.outsideLocal) |
      local(f.inside, ServiceFlag.insideLocal) |
      (p.affinitySeconds === undefined ? 0 : ServiceFlag.affinity) |
      (p.algorithm === "maglev" ? ServiceFlag.maglev : 0) |
      (f.outside !== undefined && p.forwarding === "dsr" ? ServiceFlag.dsr : 0) |
      (f.isRestricted ? ServiceFlag.sources : 0);
    const affinitySeconds = p.affinitySeconds ?? 0;
    return {
      owner: p.name,
      created: p.created,
      kind: f.kind,
      frontend: f,
      name: frontendName(f),
      row: { number, flags, insideSet, insideCount, outsideSet, outsideCount, affinitySeconds },
    };
  }

  #claim(before: readonly Claim[], after: readonly Claim[]): void {
    for (const c of [...before, ...after])
      if (!this.#claimsBefore.has(c.name)) this.#claimsBefore.set(c.name, this.#claims.get(c.name)?.[0]);
    const put = (c: Claim, isThere: boolean) => {
      const others = (this.#claims.get(c.name) ?? []).filter((o) => o.owner !== c.owner);
      const now = isThere ? [...others, c].sort(compareClaims) : others;
      if (now.length > 0) this.#claims.set(c.name, now);
      else this.#claims.delete(c.name);
    };
    for (const c of before) put(c, false);
    for (const c of after) put(c, true);
  }

  #noteSet(number: number): void {
    if (!this.#setsBefore.has(number)) this.#setsBefore.set(number, this.slots(number));
  }

  #noteSources(number: number, before: readonly Prefix[]): void {
    if (!this.#sourcesBefore.has(number)) this.#sourcesBefore.set(number, before);
  }

  #sourceWrites(): Pick<ServiceWrites, "sources" | "goneSources"> {
    const sources: SourceRow[] = [];
    const goneSources: SourceRow[] = [];
    for (const [service, before] of this.#sourcesBefore) {
      const after = this.#byNumber.get(service)?.sources ?? [];
      const has = (list: readonly Prefix[], p: Prefix) => list.some((x) => x.text === p.text);
      for (const prefix of after) if (!has(before, prefix)) sources.push({ service, prefix });
      for (const prefix of before) if (!has(after, prefix)) goneSources.push({ service, prefix });
    }
    return { sources, goneSources };
  }

  #frontendWrites(): Pick<ServiceWrites, "services" | "goneServices"> {
    const services: FrontendRow[] = [];
    const goneServices: FrontendRow["frontend"][] = [];
    for (const [name, before] of this.#claimsBefore) {
      const now = this.#claims.get(name)?.[0];
      if (now !== undefined && !isSameServiceRow(before?.row, now.row)) services.push(now);
      if (now === undefined && before !== undefined) goneServices.push(before.frontend);
    }
    return { services, goneServices };
  }

  #forgetChanges(): void {
    this.#numbers.settle();
    this.#setNumbers.settle();
    this.#setsBefore.clear();
    this.#claimsBefore.clear();
    this.#sourcesBefore.clear();
    this.#hasGone = false;
    this.#adopted = NOTHING;
  }
}
