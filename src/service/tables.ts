/**
 * The tables of all services of a node: plans go in, one service after the other, writes come out. A change of one service
 * costs what that service has.
 */

import { exact } from "../base/exact.ts";
import { ServiceFlag } from "../net/gen/bpf-maps.ts";
import type { Prefix } from "../net/prefix.ts";
import { BackendBook, named } from "./backend-book.ts";
import { type BackendKey, backendKey, backendNumber } from "./backend-columns.ts";
import { type Claim, ClaimBook } from "./claim-book.ts";
import { type Frontend, frontendName } from "./frontends.ts";
import { Numbers } from "./numbers.ts";
import type { BackendRow, FrontendRow, ServiceRow, ServiceWrites, SourceRow } from "./rows.ts";
import type { Answers, PlannedFrontend, PortPlan, ServicePlan } from "./service-plan.ts";
import { countOf, SET_KINDS, SetBook, type SetKind, type SetState, sharedList, slotCount } from "./set-book.ts";

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

interface PortState {
  readonly name: string;
  readonly number: number;
  readonly sets: Readonly<Partial<Record<SetKind, SetState>>>;
  /** Those that serve, in a set or not. */
  readonly held: readonly BackendKey[];
  readonly claims: readonly Claim[];
  readonly sources: readonly Prefix[];
}

const NO_BACKENDS: readonly BackendKey[] = [];
function kindsOf(p: PortPlan): SetKind[] {
  const used = new Set<Answers>(p.frontends.flatMap((f) => [f.inside, f.outside]));
  return SET_KINDS.filter((k) => used.has(k));
}

/** See the file's comment. */
export class ServiceTables {
  readonly limits: TableLimits;
  readonly #numbers = new Numbers();
  readonly #backends: BackendBook;
  readonly sets: SetBook;
  readonly #byService = new Map<string, readonly PortState[]>();
  readonly #byNumber = new Map<number, PortState>();
  readonly #claims = new ClaimBook();
  readonly #overflow = new Set<string>();
  #adopted: Adopted;
  #sourceCount = 0;
  // Since the last commit: what stood there before it.
  readonly #sourcesBefore = new Map<number, readonly Prefix[]>();
  #hasGone = false;

  constructor(limits: TableLimits, adopted: Adopted = NOTHING) {
    this.limits = limits;
    this.#adopted = adopted;
    this.#backends = new BackendBook(adopted.backends);
    this.sets = new SetBook(this.#backends);
  }

  /** Rows by table. */
  counts(): TableLimits {
    return {
      services: this.#claims.size,
      slots: this.sets.slotTotal,
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
    const writes = {
      backends: put,
      ...this.sets.changes(),
      ...this.#sourceWrites(),
      ...this.#claims.changes(),
      goneBackends: gone,
      hasGone: this.#hasGone || this.sets.hasGone,
    };
    this.#forgetChanges();
    return writes;
  }

  /** Whether a backend still serves what a flow asked for, even if it is about to end. */
  isServing(service: number, backend: number): boolean {
    return this.#byNumber.get(service)?.held.includes(backendKey(backend)) ?? false;
  }

  /** Whether a backend gets new flows of a service. */
  isMember(service: number, backend: number): boolean {
    const sets = Object.values(this.#byNumber.get(service)?.sets ?? {});
    return sets.some((s) => s.members.includes(backendKey(backend)));
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
    return backendNumber(this.#backends.find(name) ?? 0);
  }

  /** Whose a frontend is that a port claims in vain; undefined: it is its own. */
  ownerInstead(frontend: Frontend, port: string): string | undefined {
    const owner = this.ownerOf(frontend);
    return owner === port ? undefined : owner;
  }

  /** Whose a frontend is; undefined: nobody's. */
  ownerOf(frontend: Pick<Frontend, "addr" | "port" | "protocol">): string | undefined {
    return this.#claims.holder(frontendName(frontend))?.owner;
  }

  frontendRows(): Generator<FrontendRow> {
    return this.#claims.rows();
  }

  frontendRow(frontend: FrontendRow["frontend"]): FrontendRow | undefined {
    return this.#claims.holder(frontendName(frontend));
  }

  backendRow(number: number): BackendRow | undefined {
    return this.#backends.row(number);
  }

  backendNumbers(): Generator<number> {
    return this.#backends.numbers();
  }

  *sourceRows(): Generator<SourceRow> {
    for (const { number, sources } of this.#byNumber.values())
      for (const prefix of sources) yield { service: number, prefix };
  }

  hasSource(service: number, prefix: Prefix): boolean {
    return this.#byNumber.get(service)?.sources.some((s) => s.text === prefix.text) ?? false;
  }

  #fits(before: readonly PortState[], wanted: readonly PortPlan[]): boolean {
    const now = this.counts();
    const names = new Set(wanted.flatMap((p) => p.frontends.map(frontendName)));
    const fresh = new Set<string>();
    let services = now.services + [...names].filter((n) => this.#claims.count(n) === 0).length;
    let { slots, sources } = now;
    for (const p of before) {
      const own = p.claims.map((c) => frontendName(c.frontend));
      services -= own.filter((n) => !names.has(n) && this.#claims.count(n) === 1).length;
      slots -= countOf(p.sets.cluster) + countOf(p.sets.local);
      sources -= p.sources.length;
    }
    for (const p of wanted) {
      sources += p.sources.length;
      for (const kind of kindsOf(p)) {
        slots += slotCount(p, kind);
        for (const name of named(p.choice[kind]).keys()) if (!this.#isInSet(name)) fresh.add(name);
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

  #isInSet(name: string): boolean {
    const backend = this.#backends.find(name);
    return backend !== undefined && this.#backends.isInSet(backend);
  }

  #take(p: PortPlan, before: PortState | undefined): PortState {
    const number = this.#numbers.take(p.name, this.#adoptedNumber(p));
    const held = this.#hold(p, before?.held);
    const sets: Partial<Record<SetKind, SetState>> = {};
    for (const kind of kindsOf(p)) {
      const adopted = () => this.#adoptedSet(p, kind);
      sets[kind] = this.sets.take({ port: p, kind, held, before: before?.sets[kind], adopted });
    }
    for (const kind of SET_KINDS) {
      const old = before?.sets[kind];
      if (old !== undefined && sets[kind] === undefined) this.sets.remove(p.name, kind, old);
    }
    const stays = new Set(held);
    for (const b of before?.held ?? NO_BACKENDS) if (!stays.has(b)) this.#release(b);
    const claims = p.frontends.map((f) => this.#claimOf(p, number, sets, f));
    const state: PortState = { name: p.name, number, sets, held, claims, sources: p.sources };
    this.#claims.replace(before?.claims ?? [], claims);
    this.#noteSources(number, before?.sources ?? []);
    this.#sourceCount += p.sources.length - (before?.sources.length ?? 0);
    this.#byNumber.set(number, state);
    return state;
  }

  #remove(p: PortState): void {
    this.#claims.replace(p.claims, []);
    for (const kind of SET_KINDS) {
      const set = p.sets[kind];
      if (set !== undefined) this.sets.remove(p.name, kind, set);
    }
    for (const b of p.held) this.#release(b);
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

  #hold(p: PortPlan, before: readonly BackendKey[] | undefined): readonly BackendKey[] {
    const serving = named(p.backends.filter(({ state }) => state.isReady || state.isServing));
    const had = new Set(before);
    const held = Array.from(serving, ([name, b]) => {
      const known = this.#backends.find(name);
      return known !== undefined && had.has(known) ? known : this.#backends.hold(b, name);
    });
    return sharedList(before, exact(held));
  }

  #release(backend: BackendKey): void {
    this.#backends.drop(backend);
    this.#hasGone = true;
  }

  #claimOf(p: PortPlan, number: number, sets: PortState["sets"], f: PlannedFrontend): Claim {
    const at = (kind: Answers) => {
      const set = kind === undefined ? undefined : sets[kind];
      return set === undefined || countOf(set) === 0 ? [0, 0] : [set.number, countOf(set)];
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
      row: { number, flags, insideSet, insideCount, outsideSet, outsideCount, affinitySeconds },
    };
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

  #forgetChanges(): void {
    this.#numbers.settle();
    this.sets.settle();
    this.#sourcesBefore.clear();
    this.#hasGone = false;
    this.#adopted = NOTHING;
  }
}
