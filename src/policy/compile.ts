/** From endpoints, ordered policies and the partition of addresses to the kernel's tables. */

import type { Family } from "../net/addr.ts";
import { addAtoms, classOf, type Endpoint, infoKey, namesIn, type PolicyClass, stepInfo } from "./classes.ts";
import type { Identity, Partition } from "./identity.ts";
import { createNumbers, type Numbers } from "./numbers.ts";
import type { OrderedTier, Step } from "./order.ts";
import { evaluatePeer, peerText } from "./peer.ts";
import type { Atom, PeerExpr } from "./rule.ts";
import { createSelections } from "./selections.ts";
import { buildSet, verdictText } from "./set.ts";
import { CLOSED, type ClassRow, type EndpointClasses, type PolicyTables, type RuleInfo, type SetRow } from "./table.ts";

/** Bounds of the tables. What does not fit is closed, for the class that it does not fit for. */
export interface CompileLimits {
  /** Rows of `sets` that one class may need. */
  readonly setRowsPerClass: number;
  /** Rows of `sets`. */
  readonly setRows: number;
  /** Rows of `peers`. */
  readonly peerRows: number;
}

/** Fits the maps' sizes as they are by default. */
export const DEFAULT_LIMITS: CompileLimits = { setRowsPerClass: 16_384, setRows: 262_144, peerRows: 524_288 };

/** The lowest numbers that are given: above those that stand in the kernel already. */
export interface FirstNumbers {
  readonly class: number;
  readonly set: number;
  readonly rule: number;
}

const FROM_ONE: FirstNumbers = { class: 1, set: 1, rule: 1 };

/** Compiles again and again; numbers stay what they were as long as what they stand for is there. */
export interface Compiler {
  /** For a cold start, and for who only asks: the state as it should be. */
  compile(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables;
  /**
   * The states to go through from the last one, so that no flow sees an answer that is neither old nor new: the old rules
   * on a partition that knows the atoms of both, the new rules on it, the new rules on their own; those that would change
   * nothing are left out. Between two of them either the partition or the rules differ. Take the partition's rows after each, before the next is asked for.
   */
  steps(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[], partition: Partition): Generator<PolicyTables>;
}

/** What one state of policies and endpoints needs, whatever the addresses. */
interface Wanted {
  readonly classes: ReadonlyMap<string, PolicyClass>;
  /** Keys of endpoints and of their classes. */
  readonly classed: readonly { readonly key: string; readonly ingress: string; readonly egress: string }[];
  readonly atoms: ReadonlyMap<string, Atom>;
  readonly names: ReadonlySet<string>;
}

/** Where the tables of one compilation grow. */
interface Draft {
  readonly classes: Map<number, ClassRow>;
  readonly peers: Map<number, ReadonlyMap<number, number>>;
  readonly sets: Map<number, readonly SetRow[]>;
  readonly rules: Map<number, RuleInfo>;
  readonly overflow: Map<number, string>;
  readonly setTexts: Set<string>;
  setRows: number;
  peerRows: number;
}

/** What is known of a class from earlier compilations. Its rules never change: with them the class is another. */
interface ClassMemory {
  /** Set numbers of identities that were asked about. */
  readonly setOf: Map<Identity, number>;
  /** Set number by the steps that match, the family and the named ports. */
  readonly bySteps: Map<string, number>;
  readonly sets: Map<number, BuiltSet>;
  readonly rules: Map<number, RuleInfo>;
  /** The last answers, and the identities that they are about. */
  readonly last: { readonly identities: readonly Identity[]; readonly answers: ClassAnswers } | undefined;
}

interface BuiltSet {
  readonly rows: readonly SetRow[];
  readonly text: string;
}

/** The answers of a class before it is known whether they fit. */
interface ClassAnswers {
  readonly row: ClassRow;
  readonly peers: Map<number, number>;
  /** The sets that are in use. */
  readonly sets: ReadonlyMap<number, BuiltSet>;
  readonly rules: ReadonlyMap<number, RuleInfo>;
  readonly rows: number;
}

function hasSameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** Whether rules ask the same of addresses: then the partition stays as it is, whatever they answer. */
function isSameQuestions(a: Wanted, b: Wanted): boolean {
  return hasSameKeys(a.atoms, b.atoms) && a.names.size === b.names.size && a.names.isSubsetOf(b.names);
}

const rowText = (r: SetRow) => `${r.prefixLength} ${r.protocol} ${r.port} ${verdictText(r.verdict)}`;

/** Whether a peer expression means an identity: asked once for both. */
type PeerAnswers = (expr: PeerExpr, identity: Identity) => boolean;

function createPeerAnswers(): PeerAnswers {
  const byText = new Map<string, Map<Identity, boolean>>();
  const byExpr = new WeakMap<PeerExpr, Map<Identity, boolean>>();
  return (expr, identity) => {
    if (expr.kind === "any") return true;
    let known = byExpr.get(expr);
    if (known === undefined) {
      const text = peerText(expr);
      known = byText.get(text) ?? new Map<Identity, boolean>();
      byText.set(text, known);
      byExpr.set(expr, known);
    }
    const answer = known.get(identity) ?? evaluatePeer(expr, identity.has);
    known.set(identity, answer);
    return answer;
  };
}

/** The set that most identities of a family have. */
function commonest(setOf: ReadonlyMap<Identity, number>, family: Family): number {
  const counts = new Map<number, number>();
  for (const [identity, set] of setOf) if (identity.family === family) counts.set(set, (counts.get(set) ?? 0) + 1);
  let best: readonly [number, number] = [CLOSED, 0];
  for (const entry of counts) if (entry[1] > best[1]) best = entry;
  return best[0];
}

class TableCompiler implements Compiler {
  readonly #limits: CompileLimits;
  readonly #selections = createSelections();
  #identities: readonly Identity[] = [];
  #current: Wanted | undefined;
  readonly #memory = new Map<string, ClassMemory>();
  readonly #classNumbers: Numbers;
  readonly #setNumbers: Numbers;
  readonly #ruleNumbers: Numbers;

  constructor(limits: CompileLimits, first: FirstNumbers) {
    this.#limits = limits;
    this.#classNumbers = createNumbers(first.class);
    this.#setNumbers = createNumbers(first.set);
    this.#ruleNumbers = createNumbers(first.rule);
  }

  compile(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables {
    const wanted = this.#want(ordered, endpoints);
    this.#current = wanted;
    partition.use(wanted.atoms, wanted.names);
    return this.#tables(wanted, partition);
  }

  *steps(
    ordered: readonly OrderedTier[],
    endpoints: readonly Endpoint[],
    partition: Partition,
  ): Generator<PolicyTables> {
    const wanted = this.#want(ordered, endpoints);
    const old = this.#current;
    this.#current = wanted;
    const hasSameQuestions = old !== undefined && isSameQuestions(old, wanted);
    if (old !== undefined && !(hasSameQuestions && hasSameKeys(old.classes, wanted.classes))) {
      if (!hasSameQuestions) partition.use(new Map([...old.atoms, ...wanted.atoms]), old.names.union(wanted.names));
      yield this.#tables(old, partition);
      if (!hasSameQuestions) yield this.#tables(wanted, partition);
    }
    if (!hasSameQuestions) partition.use(wanted.atoms, wanted.names);
    yield this.#tables(wanted, partition);
  }

  #want(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[]): Wanted {
    this.#selections.update(ordered, endpoints);
    const classes = new Map<string, PolicyClass>();
    const classed = endpoints.map((endpoint) => {
      const ingress = classOf(this.#selections.of(endpoint.key, "ingress"), endpoint, "ingress");
      const egress = classOf(this.#selections.of(endpoint.key, "egress"), endpoint, "egress");
      for (const c of [ingress, egress]) if (!classes.has(c.key)) classes.set(c.key, c);
      return { key: endpoint.key, ingress: ingress.key, egress: egress.key };
    });
    const atoms = new Map<string, Atom>();
    for (const c of classes.values()) addAtoms(atoms, c);
    const egressSteps = [...classes.values()].flatMap((c) => (c.direction === "egress" ? c.steps : []));
    return { classes, classed, atoms, names: namesIn(egressSteps) };
  }

  #tables({ classes, classed }: Wanted, partition: Partition): PolicyTables {
    const identities = this.#sameIdentities([...partition.identities()]);
    const draft = newDraft();
    const answers = createPeerAnswers();
    for (const c of classes.values()) this.#addClass(draft, c, identities, answers);
    for (const key of this.#memory.keys()) if (!classes.has(key)) this.#memory.delete(key);
    this.#classNumbers.keep(new Set(classes.keys()));
    this.#setNumbers.keep(draft.setTexts);
    this.#ruleNumbers.keep(new Set([...draft.rules.values()].map(infoKey)));
    const numbers = new Map<string, EndpointClasses>();
    for (const e of classed)
      numbers.set(e.key, {
        ingress: this.#classNumbers.numberOf(e.ingress),
        egress: this.#classNumbers.numberOf(e.egress),
      });
    const { classes: rows, peers, sets, rules, overflow } = draft;
    const families = new Map(identities.map((i) => [i.number, i.family]));
    return { classes: rows, peers, sets, rules, overflow, endpoints: numbers, identities: families };
  }

  /** The earlier list where nothing came and nothing went: then answers stand as they are. */
  #sameIdentities(now: readonly Identity[]): readonly Identity[] {
    const isSame =
      now.length === this.#identities.length && now.every((identity, i) => identity === this.#identities[i]);
    if (!isSame) this.#identities = now;
    return this.#identities;
  }

  /** Adds a class if it fits; else it is closed, and said so. */
  #addClass(draft: Draft, of: PolicyClass, identities: readonly Identity[], answers: PeerAnswers): void {
    const number = this.#classNumbers.numberOf(of.key);
    const found = this.#answer(of, identities, answers);
    const why = this.#misfit(draft, found);
    if (why !== undefined) {
      draft.overflow.set(number, why);
      draft.classes.set(number, { set4: CLOSED, set6: CLOSED });
      return;
    }
    draft.classes.set(number, found.row);
    if (found.peers.size > 0) draft.peers.set(number, found.peers);
    for (const [set, { rows, text }] of found.sets) {
      if (draft.sets.has(set)) continue;
      draft.sets.set(set, rows);
      draft.setTexts.add(text);
      draft.setRows += rows.length;
    }
    for (const [rule, info] of found.rules) draft.rules.set(rule, info);
    draft.peerRows += found.peers.size;
  }

  #misfit(draft: Draft, found: ClassAnswers): string | undefined {
    const { setRowsPerClass, setRows, peerRows } = this.#limits;
    let added = 0;
    for (const [set, { rows }] of found.sets) if (!draft.sets.has(set)) added += rows.length;
    if (found.rows > setRowsPerClass) return `Its rules need more than ${setRowsPerClass} rows`;
    if (draft.setRows + added > setRows) return `The table of sets is full: ${setRows} rows`;
    if (draft.peerRows + found.peers.size > peerRows) return `The table of peers is full: ${peerRows} rows`;
    return undefined;
  }

  #answer(of: PolicyClass, identities: readonly Identity[], answers: PeerAnswers): ClassAnswers {
    const old = this.#memory.get(of.key);
    if (old?.last?.identities === identities) return old.last.answers;
    const memory = old ?? { setOf: new Map(), bySteps: new Map(), sets: new Map(), rules: new Map(), last: undefined };
    const asked = of.direction === "egress" ? namesIn(of.steps) : new Set<string>();
    const setOf = new Map<Identity, number>();
    const sets = new Map<number, BuiltSet>();
    let rows = 0;
    for (const identity of identities) {
      if (rows > this.#limits.setRowsPerClass) break;
      const set = memory.setOf.get(identity) ?? this.#setFor(of, identity, asked, answers, memory);
      setOf.set(identity, set);
      const built = memory.sets.get(set);
      if (built === undefined || sets.has(set)) continue;
      sets.set(set, built);
      rows += built.rows.length;
    }
    for (const set of memory.sets.keys()) if (!sets.has(set)) memory.sets.delete(set);
    for (const [key, set] of memory.bySteps) if (!sets.has(set)) memory.bySteps.delete(key);
    const row: ClassRow = { set4: commonest(setOf, 4), set6: commonest(setOf, 6) };
    const peers = new Map<number, number>();
    for (const [identity, set] of setOf)
      if (set !== (identity.family === 4 ? row.set4 : row.set6)) peers.set(identity.number, set);
    const found: ClassAnswers = { row, peers, sets, rules: memory.rules, rows };
    this.#memory.set(of.key, { ...memory, setOf, last: { identities, answers: found } });
    return found;
  }

  /** The set of one identity, built unless another one matches the same steps. */
  #setFor(
    of: PolicyClass,
    identity: Identity,
    asked: ReadonlySet<string>,
    answers: PeerAnswers,
    memory: ClassMemory,
  ): number {
    const places = of.steps.flatMap((s, i) => (s.kind === "end" || answers(s.rule.peer, identity) ? [i] : []));
    const names = of.direction === "ingress" ? of.names : identity.namedPorts.filter((p) => asked.has(p.name));
    const namesText = names.map((n) => `${n.name}:${n.protocol}:${n.port}`).join(" ");
    const key = `${identity.family} ${places.join(",")} ${namesText}`;
    const known = memory.bySteps.get(key);
    if (known !== undefined) return known;
    const steps = places.flatMap((i) => of.steps[i] ?? []);
    const numberOf = (step: Step) => {
      const info = stepInfo(step, of.direction);
      const number = this.#ruleNumbers.numberOf(infoKey(info));
      memory.rules.set(number, info);
      return number;
    };
    const rows = buildSet({ steps, family: identity.family, names, numberOf });
    const text = rows.map(rowText).join("\n");
    const number = this.#setNumbers.numberOf(text);
    memory.bySteps.set(key, number);
    memory.sets.set(number, { rows, text });
    return number;
  }
}

function newDraft(): Draft {
  return {
    classes: new Map(),
    peers: new Map(),
    sets: new Map(),
    rules: new Map(),
    overflow: new Map(),
    setTexts: new Set(),
    setRows: 0,
    peerRows: 0,
  };
}

/** A compiler that has given no numbers yet. */
export function createCompiler(limits: CompileLimits = DEFAULT_LIMITS, first: FirstNumbers = FROM_ONE): Compiler {
  return new TableCompiler(limits, first);
}
