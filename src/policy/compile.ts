/** From endpoints, ordered policies and the partition of addresses to the kernel's tables. */

import type { Family } from "../net/addr.ts";
import { type AnswerParts, type BuiltSet, ClassAnswers, type FoundAnswers } from "./class-answers.ts";
import { atomsOfClass, classOf, type Endpoint, namesOfClass, type PolicyClass } from "./classes.ts";
import type { Identity, Partition } from "./identity.ts";
import { createNumbers, type Numbers } from "./numbers.ts";
import type { OrderedTier } from "./order.ts";
import { PeerIndex } from "./peer-index.ts";
import type { AddressFacts, Atom, PeerExpr } from "./rule.ts";
import { createSelections, type Selection } from "./selections.ts";
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

/** Fits the maps' sizes as they are by default; ten thousand rules of single ports for as many peers fit a class. */
export const DEFAULT_LIMITS: CompileLimits = { setRowsPerClass: 65_536, setRows: 262_144, peerRows: 524_288 };

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
  /** The same object as long as there are the same classes. */
  readonly classes: ReadonlyMap<string, PolicyClass>;
  /** Keys of endpoints and of their classes. */
  readonly classed: readonly Classed[];
  readonly atoms: ReadonlyMap<string, Atom>;
  readonly names: ReadonlySet<string>;
}

interface Classed {
  readonly key: string;
  readonly ingress: PolicyClass;
  readonly egress: PolicyClass;
}

/** The last tables, and what they were made from. */
interface Compiled {
  readonly classes: ReadonlyMap<string, PolicyClass>;
  readonly classed: readonly Classed[];
  /** Of the partition. */
  readonly revision: number;
  readonly tables: PolicyTables;
}

/** Where the tables of one compilation grow. */
interface Draft {
  readonly classes: Map<number, ClassRow>;
  readonly peers: Map<number, ReadonlyMap<number, number>>;
  readonly sets: Map<number, readonly SetRow[]>;
  readonly overflow: Map<number, string>;
  setRows: number;
  peerRows: number;
}

function hasSameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** Whether rules ask the same of addresses: then the partition stays as it is, whatever they answer. */
function isSameQuestions(a: Wanted, b: Wanted): boolean {
  return hasSameKeys(a.atoms, b.atoms) && a.names.size === b.names.size && a.names.isSubsetOf(b.names);
}

class TableCompiler implements Compiler {
  readonly #limits: CompileLimits;
  readonly #selections = createSelections();
  readonly #index = new PeerIndex<ClassAnswers>();
  readonly #answers = new Map<string, ClassAnswers>();
  readonly #classNumbers: Numbers;
  readonly #setNumbers: Numbers;
  readonly #ruleNumbers: Numbers;
  /** Sets in use by the steps that they follow from: a class that changed has most of those that it had. */
  readonly #built = new Map<string, BuiltSet>();
  readonly #parts: AnswerParts;
  readonly #classed = new Map<string, Classed & { readonly of: Selection; readonly facts: AddressFacts }>();
  #identities: readonly Identity[] = [];
  #families: ReadonlyMap<number, Family> = new Map();
  #totals: Record<Family, number> = { 4: 0, 6: 0 };
  /** How many classes ask for which atom. */
  readonly #atomUsers = new Map<string, number>();
  #current: Wanted | undefined;
  #last: Compiled | undefined;
  #rules: ReadonlyMap<number, RuleInfo> = new Map();
  #rulesFrom: readonly ReadonlyMap<number, RuleInfo>[] = [];

  constructor(limits: CompileLimits, first: FirstNumbers) {
    this.#limits = limits;
    this.#classNumbers = createNumbers(first.class);
    this.#setNumbers = createNumbers(first.set);
    this.#ruleNumbers = createNumbers(first.rule);
    this.#parts = {
      sets: this.#setNumbers,
      rules: this.#ruleNumbers,
      built: this.#built,
      maxRows: limits.setRowsPerClass,
    };
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
    const old = this.#current;
    const wanted = this.#want(ordered, endpoints);
    this.#current = wanted;
    const hasSameQuestions = old !== undefined && isSameQuestions(old, wanted);
    if (old !== undefined && !(hasSameQuestions && hasSameKeys(old.classes, wanted.classes))) {
      if (!hasSameQuestions) partition.useAlso(wanted.atoms, wanted.names);
      yield this.#tables(old, partition);
      if (!hasSameQuestions) yield this.#tables(wanted, partition);
    }
    if (!hasSameQuestions) partition.use(wanted.atoms, wanted.names);
    yield this.#tables(wanted, partition);
  }

  #want(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[]): Wanted {
    this.#selections.update(ordered, endpoints);
    const classed = endpoints.map((endpoint) => this.#classify(endpoint));
    const keys = new Set(endpoints.map((e) => e.key));
    for (const key of this.#classed.keys()) if (!keys.has(key)) this.#classed.delete(key);
    const classes = new Map(classed.flatMap((c) => [c.ingress, c.egress].map((of) => [of.key, of] as const)));
    const last = this.#current;
    if (last !== undefined && hasSameKeys(last.classes, classes)) return { ...last, classed };
    const atoms = this.#countAtoms(last?.classes ?? new Map(), classes);
    const egress = [...classes.values()].filter((c) => c.direction === "egress");
    return { classes, classed, atoms, names: new Set(egress.flatMap((c) => [...namesOfClass(c)])) };
  }

  /** All atoms of the classes. */
  #countAtoms(
    before: ReadonlyMap<string, PolicyClass>,
    now: ReadonlyMap<string, PolicyClass>,
  ): ReadonlyMap<string, Atom> {
    const atoms = new Map(this.#current?.atoms);
    const count = (atom: Atom, key: string, by: 1 | -1) => {
      const users = (this.#atomUsers.get(key) ?? 0) + by;
      if (users > 0) this.#atomUsers.set(key, users);
      else this.#atomUsers.delete(key);
      if (users > 0) atoms.set(key, atom);
      else atoms.delete(key);
    };
    for (const [key, of] of now) if (!before.has(key)) for (const [k, atom] of atomsOfClass(of)) count(atom, k, 1);
    for (const [key, of] of before) if (!now.has(key)) for (const [k, atom] of atomsOfClass(of)) count(atom, k, -1);
    return atoms;
  }

  /** The classes of an endpoint: the same objects as long as the same policies select it. */
  #classify(endpoint: Endpoint): Classed {
    const of = this.#selections.of(endpoint.key);
    const old = this.#classed.get(endpoint.key);
    if (old !== undefined && old.of === of && old.facts === endpoint.facts) return old;
    const ingress = classOf(of.ingress, endpoint, "ingress");
    const egress = classOf(of.egress, endpoint, "egress");
    const now = { key: endpoint.key, ingress, egress, of, facts: endpoint.facts };
    this.#classed.set(endpoint.key, now);
    return now;
  }

  /** The same object as the last time when nothing is different. */
  #tables({ classes, classed }: Wanted, partition: Partition): PolicyTables {
    const revision = partition.revision();
    const last = this.#last;
    if (last?.classes !== classes || last.revision !== revision) {
      const tables = this.#compiled(classes, classed, partition);
      this.#last = { classes, classed, revision, tables };
      return tables;
    }
    const isSame = last.classed.length === classed.length && last.classed.every((c, i) => c === classed[i]);
    const tables = isSame ? last.tables : { ...last.tables, endpoints: this.#endpoints(classed) };
    this.#last = { ...last, classed, tables };
    return tables;
  }

  #compiled(
    classes: ReadonlyMap<string, PolicyClass>,
    classed: readonly Classed[],
    partition: Partition,
  ): PolicyTables {
    this.#follow(classes, partition);
    const draft = newDraft();
    const rules: ReadonlyMap<number, RuleInfo>[] = [];
    for (const of of classes.values()) {
      const number = this.#classNumbers.numberOf(of.key);
      const found = this.#answersOf(of).found(this.#identities, this.#totals);
      if (this.#add(draft, number, found)) rules.push(found.rules);
    }
    this.#classNumbers.keep((number) => draft.classes.has(number));
    this.#setNumbers.keep((number) => draft.sets.has(number));
    for (const [key, { number }] of this.#built) if (!draft.sets.has(number)) this.#built.delete(key);
    const { classes: rows, peers, sets, overflow } = draft;
    const identities = this.#families;
    const endpoints = this.#endpoints(classed);
    return { classes: rows, peers, sets, overflow, endpoints, identities, rules: this.#takeRules(rules) };
  }

  #endpoints(classed: readonly Classed[]): Map<string, EndpointClasses> {
    const numberOf = (of: PolicyClass) => this.#classNumbers.numberOf(of.key);
    return new Map(classed.map((e) => [e.key, { ingress: numberOf(e.ingress), egress: numberOf(e.egress) }]));
  }

  /** Follows the classes and the partition: answers of what came, nothing of what is gone. */
  #follow(classes: ReadonlyMap<string, PolicyClass>, partition: Partition): void {
    const isNew = new Set<ClassAnswers>();
    for (const [key, of] of classes) {
      if (this.#answers.has(key)) continue;
      const answers = new ClassAnswers(of, this.#parts);
      this.#answers.set(key, answers);
      isNew.add(answers);
      forPeers(of, (peer, place) => this.#index.add(peer, answers, place, (atom) => partition.numberOf(atom)));
    }
    // After what is new: most peers of a class that changed are those of before, and need not be asked for again.
    for (const [key, answers] of this.#answers)
      if (!classes.has(key)) {
        this.#answers.delete(key);
        forPeers(answers.of, (peer) => this.#index.remove(peer, answers));
      }
    const { added, removed } = this.#index.update(partition.identities(), partition.revision());
    if (added.length > 0 || removed.length > 0) {
      this.#identities = [...partition.identities()];
      this.#families = new Map(this.#identities.map((i) => [i.number, i.family]));
      this.#totals = { 4: 0, 6: 0 };
      for (const { family } of this.#identities) this.#totals[family]++;
    }
    const again = [...this.#answers.values()].filter((answers) => this.#takeNews(answers, removed));
    this.#answerAbout(added, isNew);
    for (const answers of new Set([...isNew, ...again])) this.#answerAll(answers);
  }

  /** Forgets identities. @returns whether a class that did not fit may do so now */
  #takeNews(answers: ClassAnswers, removed: readonly Identity[]): boolean {
    const wasOver = answers.isOver;
    const hasLess = removed.filter((identity) => answers.forget(identity)).length > 0;
    if (!wasOver || !hasLess) return false;
    answers.clear();
    return true;
  }

  #answerAbout(added: readonly Identity[], isNew: ReadonlySet<ClassAnswers>): void {
    const asking = added.length === 0 ? [] : [...this.#answers.values()].filter((a) => a.asksForNames);
    for (const identity of added) {
      const users = this.#index.usersOf(identity);
      for (const answers of asking) if (!users.has(answers)) users.set(answers, []);
      for (const [answers, places] of users) if (!isNew.has(answers)) answers.answer(identity, places);
    }
  }

  #answerAll(answers: ClassAnswers): void {
    const places = new Map<Identity, number[]>();
    forPeers(answers.of, (peer, place) => {
      for (const identity of this.#index.identitiesOf(peer)) {
        const own = places.get(identity);
        if (own === undefined) places.set(identity, [place]);
        else own.push(place);
      }
    });
    if (answers.asksForNames)
      for (const identity of this.#identities) if (!places.has(identity)) places.set(identity, []);
    for (const [identity, own] of places) answers.answer(identity, own);
  }

  #answersOf(of: PolicyClass): ClassAnswers {
    const answers = this.#answers.get(of.key);
    if (answers === undefined) throw new RangeError(`Class "${of.key}" has not been followed`);
    return answers;
  }

  /** Adds a class if it fits; else it is closed, and said so. */
  #add(draft: Draft, number: number, found: FoundAnswers): boolean {
    const added: [number, readonly SetRow[]][] = [];
    let addedRows = 0;
    for (const [set, { rows }] of found.sets) {
      if (draft.sets.has(set)) continue;
      added.push([set, rows]);
      addedRows += rows.length;
    }
    const why = this.#misfit(draft, found, addedRows);
    if (why !== undefined) {
      draft.overflow.set(number, why);
      draft.classes.set(number, { set4: CLOSED, set6: CLOSED });
      return false;
    }
    draft.classes.set(number, found.row);
    if (found.peers.size > 0) draft.peers.set(number, found.peers);
    for (const [set, rows] of added) draft.sets.set(set, rows);
    draft.setRows += addedRows;
    draft.peerRows += found.peers.size;
    return true;
  }

  #misfit(draft: Draft, found: FoundAnswers, addedRows: number): string | undefined {
    const { setRowsPerClass, setRows, peerRows } = this.#limits;
    if (found.rows > setRowsPerClass) return `Its rules need more than ${setRowsPerClass} rows`;
    if (draft.setRows + addedRows > setRows) return `The table of sets is full: ${setRows} rows`;
    if (draft.peerRows + found.peers.size > peerRows) return `The table of peers is full: ${peerRows} rows`;
    return undefined;
  }

  /** All rules of classes: the same object as long as they are the same. */
  #takeRules(from: readonly ReadonlyMap<number, RuleInfo>[]): ReadonlyMap<number, RuleInfo> {
    const isSame = from.length === this.#rulesFrom.length && from.every((rules, i) => rules === this.#rulesFrom[i]);
    if (isSame) return this.#rules;
    const rules = new Map<number, RuleInfo>();
    for (const of of from) for (const [number, info] of of) rules.set(number, info);
    this.#ruleNumbers.keep((number) => rules.has(number));
    this.#rules = rules;
    this.#rulesFrom = from;
    return rules;
  }
}

/** Calls back for each rule that has a peer of its own, with its place among the steps. */
function forPeers(of: PolicyClass, call: (peer: PeerExpr, place: number) => void): void {
  for (const [place, step] of of.steps.entries())
    if (step.kind === "rule" && step.rule.peer.kind !== "any") call(step.rule.peer, place);
}

function newDraft(): Draft {
  return { classes: new Map(), peers: new Map(), sets: new Map(), overflow: new Map(), setRows: 0, peerRows: 0 };
}

/** A compiler that has given no numbers yet. */
export function createCompiler(limits: CompileLimits = DEFAULT_LIMITS, first: FirstNumbers = FROM_ONE): Compiler {
  return new TableCompiler(limits, first);
}
