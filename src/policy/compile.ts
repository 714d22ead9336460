/** From endpoints, ordered policies and the partition of addresses to the kernel's tables. */

import type { Family } from "../net/addr.ts";
import type { TableChange } from "./change.ts";
import { type AnswerParts, ClassAnswers, type Everybody, type FoundAnswers } from "./class-answers.ts";
import type { Endpoint, PolicyClass } from "./classes.ts";
import type { Identity } from "./identity.ts";
import { createNumbers, type Numbers } from "./numbers.ts";
import type { FullTier } from "./order.ts";
import type { Partition } from "./partition.ts";
import { PeerIndex } from "./peer-index.ts";
import type { IdentityNews } from "./profiles.ts";
import { type CompileLimits, DEFAULT_LIMITS, findRoom, overText } from "./room.ts";
import type { PeerExpr } from "./rule.ts";
import { SetShapes } from "./set-shapes.ts";
import { type NumberedRule, SharedRules } from "./shared-rules.ts";
import { SharedSets } from "./shared-sets.ts";
import type { EndpointClasses, PolicyTables } from "./table.ts";
import { type Placed, TableDraft } from "./table-draft.ts";
import { NOTHING_WANTED, type Wanted, WantedClasses } from "./wanted.ts";

/** The lowest numbers that are given: above those that stand in the kernel already. */
export interface FirstNumbers {
  readonly class: number;
  readonly set: number;
  readonly rule: number;
}

const FROM_ONE: FirstNumbers = { class: 1, set: 1, rule: 1 };

/** One state on the way, and how it comes from the one before. */
export interface CompileStep {
  /** They are what they are until the next step is asked for: of what is kept, only a copy stays. */
  readonly tables: PolicyTables;
  readonly change: TableChange;
  /** Rules that no answer names any more. */
  readonly goneRules: readonly NumberedRule[];
}

/** Compiles again and again; numbers stay what they were as long as what they stand for is there. */
export interface Compiler {
  /** For a cold start, and for who only asks: the state as it should be. */
  compile(ordered: readonly FullTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables;
  /**
   * The states to go through from the last one, so that no flow sees an answer that is neither old nor new: the old rules
   * on a partition that knows the atoms of both, the new rules on it, the new rules on their own; those that would change
   * nothing are left out. Between two of them either the partition or the rules differ. Take the partition's rows after each, before the next is asked for.
   */
  steps(ordered: readonly FullTier[], endpoints: readonly Endpoint[], partition: Partition): Generator<CompileStep>;
}

/** A class in use. */
interface Followed {
  readonly answers: ClassAnswers;
  readonly number: number;
  /** What was found last. */
  found: FoundAnswers | undefined;
}

class TableCompiler implements Compiler {
  readonly #limits: CompileLimits;
  readonly #classNumbers: Numbers;
  readonly #parts: AnswerParts;
  readonly #draft: TableDraft;
  readonly #wants: WantedClasses;
  readonly #index = new PeerIndex<ClassAnswers>();
  readonly #followed = new Map<string, Followed>();
  readonly #identities = new Set<Identity>();
  readonly #totals: Record<Family, number> = { 4: 0, 6: 0 };
  /** Of the partition, as of the last step. */
  #revision = -1;
  /** Undefined: nothing was compiled yet. */
  #current: Wanted | undefined;
  #last: Wanted = NOTHING_WANTED;
  /** Rows of `peers` that all classes together need. */
  #peerRows = 0;
  /** Everything that is not too large by itself has room. */
  #hasRoom = true;
  /** The partition knows atoms that nobody asks for. */
  #hasTooMany = false;

  constructor(limits: CompileLimits, first: FirstNumbers) {
    this.#limits = limits;
    this.#wants = new WantedClasses(limits);
    this.#classNumbers = createNumbers(first.class);
    const [sets, rules] = [new SharedSets(first.set), new SharedRules(first.rule)];
    this.#parts = { sets, rules, shapes: new SetShapes(), maxRows: limits.setRowsPerClass };
    this.#draft = new TableDraft(rules.current);
  }

  compile(ordered: readonly FullTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables {
    const knownRows = partition.knownRows();
    const { wanted } = this.#wants.update(ordered, endpoints, knownRows);
    this.#current = wanted;
    const { atoms, names } = this.#wants.questions;
    partition.use(atoms, names);
    partition.coarsen(knownRows > this.#limits.identityRows);
    const { classes, peers, sets, identities, rules, overflow, endpoints: of } = this.#step(wanted, partition).tables;
    return {
      classes: new Map(classes),
      peers: new Map(peers),
      sets: new Map(sets),
      endpoints: of,
      identities: new Map(identities),
      rules: new Map(rules),
      overflow: new Map(overflow),
    };
  }

  *steps(ordered: readonly FullTier[], endpoints: readonly Endpoint[], partition: Partition): Generator<CompileStep> {
    const old = this.#current;
    const knownRows = partition.knownRows();
    const isCoarse = knownRows > this.#limits.identityRows;
    if (!isCoarse) partition.coarsen(false);
    const { wanted, asked } = this.#wants.update(ordered, endpoints, knownRows);
    this.#current = wanted;
    if (asked !== undefined || old === undefined) this.#hasTooMany = true;
    if (old !== undefined && old.classes !== wanted.classes) {
      if (asked !== undefined) partition.useAlso(asked.atoms, asked.names);
      yield this.#step(old, partition);
      if (asked !== undefined) yield this.#step(wanted, partition);
    }
    if (this.#hasTooMany) partition.use(this.#wants.questions.atoms, this.#wants.questions.names);
    this.#hasTooMany = false;
    // Nobody asks any more.
    partition.coarsen(isCoarse);
    yield this.#step(wanted, partition);
  }

  #step(wanted: Wanted, partition: Partition): CompileStep {
    const gone = this.#follow(wanted.classes, partition);
    this.#place(wanted, gone);
    const last = this.#last;
    this.#last = wanted;
    if (last.classed !== wanted.classed) this.#draft.putEndpoints(this.#endpoints(wanted));
    return {
      tables: this.#draft.tables(),
      change: this.#draft.takeChange(),
      goneRules: this.#parts.rules.takeGone(),
    };
  }

  #endpoints({ classed }: Wanted): Map<string, EndpointClasses> {
    const numberOf = (of: PolicyClass) => this.#classNumbers.numberOf(of.key);
    return new Map(classed.map((e) => [e.key, { ingress: numberOf(e.ingress), egress: numberOf(e.egress) }]));
  }

  /** Follows the classes and the partition: answers of what came. @returns what is gone, to be ended */
  #follow(classes: ReadonlyMap<string, PolicyClass>, partition: Partition): Followed[] {
    const isNew = new Set<ClassAnswers>();
    const gone: Followed[] = [];
    if (classes !== this.#last.classes) {
      for (const [key, of] of classes) {
        if (this.#followed.has(key)) continue;
        const answers = new ClassAnswers(of, this.#parts);
        this.#followed.set(key, { answers, number: this.#classNumbers.numberOf(key), found: undefined });
        isNew.add(answers);
        forPeers(of, (peer, place) => this.#index.add(peer, answers, place, (atom) => partition.numberOf(atom)));
      }
      // After what is new: most peers of a class that changed are those of before, and need not be asked for again.
      for (const [key, followed] of this.#followed)
        if (!classes.has(key)) {
          this.#followed.delete(key);
          gone.push(followed);
          forPeers(followed.answers.of, (peer) => this.#index.remove(peer, followed.answers));
        }
    }
    this.#takeNews(this.#newsOf(partition), isNew, partition);
    for (const answers of isNew) this.#answerAll(answers);
    return gone;
  }

  /** Follows identities. */
  #newsOf(partition: Partition): IdentityNews {
    const revision = partition.revision();
    const news = partition.newsSince(this.#revision) ?? this.#compare(partition.identities());
    this.#revision = revision;
    const { added, removed } = news;
    for (const identity of removed) {
      this.#identities.delete(identity);
      this.#draft.removeIdentity(identity.number);
      this.#totals[identity.family]--;
    }
    for (const identity of added) {
      this.#identities.add(identity);
      this.#draft.addIdentity(identity.number, identity.family);
      this.#totals[identity.family]++;
    }
    return news;
  }

  #compare(identities: Iterable<Identity>): IdentityNews {
    const now = new Set(identities);
    return { added: now.difference(this.#identities), removed: this.#identities.difference(now) };
  }

  /** What identities that came or went change in the answers of classes that were there. Those that did not fit and may do so now are as if they were new. */
  #takeNews(news: IdentityNews, isNew: Set<ClassAnswers>, partition: Partition): void {
    const losses = this.#index.update(news, (atom) => partition.satisfying(atom));
    const { added, removed } = news;
    if (added.size === 0 && removed.size === 0) return;
    const asking: ClassAnswers[] = [];
    for (const { answers } of this.#followed.values()) {
      if (isNew.has(answers)) continue;
      // Who asks for names has answers to identities that no peer means.
      const lost = answers.asksForNames ? removed : losses.get(answers);
      for (const identity of lost ?? []) answers.forget(identity);
      if (answers.isOver && lost !== undefined && lost.size > 0) {
        answers.clear();
        isNew.add(answers);
      } else if (answers.asksForNames) asking.push(answers);
    }
    for (const identity of added) {
      const users = this.#index.usersOf(identity);
      for (const answers of asking) if (!users.has(answers)) users.set(answers, []);
      for (const [answers, places] of users) if (!isNew.has(answers)) answers.answer(identity, places);
    }
  }

  #answerAll(answers: ClassAnswers): void {
    const meant: (readonly [number, Iterable<Identity>])[] = [];
    forPeers(answers.of, (peer, place) => meant.push([place, this.#index.identitiesOf(peer)]));
    answers.answerAll(meant, this.#identities);
  }

  /** Puts into the tables what is found, and ends what is gone. */
  #place(wanted: Wanted, gone: readonly Followed[]): void {
    const changed = this.#changed();
    for (const { answers, number, found } of gone) {
      this.#peerRows -= found?.peers.size ?? 0;
      this.#draft.put(number, undefined);
      this.#classNumbers.forget(answers.of.key);
      answers.end();
    }
    const { setRows, peerRows } = this.#limits;
    const hadRoom = this.#hasRoom;
    // All sets that are held: some more than those that stand in the tables.
    this.#hasRoom = this.#parts.sets.rows <= setRows && this.#peerRows <= peerRows;
    if (!this.#hasRoom) this.#placeInOrder(wanted);
    else
      for (const followed of hadRoom ? changed : this.#followed.values())
        this.#draft.put(followed.number, this.#byItself(followed));
  }

  /** Classes whose answers are others than before. */
  #changed(): Followed[] {
    const everybody: Everybody = { identities: this.#identities, totals: this.#totals, revision: this.#revision };
    const changed: Followed[] = [];
    for (const followed of this.#followed.values()) {
      const found = followed.answers.found(everybody);
      if (found === followed.found) continue;
      this.#peerRows += found.peers.size - (followed.found?.peers.size ?? 0);
      followed.found = found;
      changed.push(followed);
    }
    return changed;
  }

  #byItself({ answers, found }: Followed): Placed | undefined {
    return answers.of.closed ?? (found?.isOver === true ? overText(this.#limits) : found);
  }

  /** Not everything fits: classes have room in the order of their endpoints, as if nothing had been there before. */
  #placeInOrder({ classed }: Wanted): void {
    const inOrder = new Map<Followed, FoundAnswers>();
    for (const of of classed)
      for (const { key } of [of.ingress, of.egress]) {
        const followed = this.#followed.get(key);
        if (followed?.found !== undefined) inOrder.set(followed, followed.found);
      }
    const without = findRoom(inOrder, this.#limits);
    for (const [followed, found] of inOrder) {
      const placed = followed.answers.of.closed ?? without.get(followed) ?? found;
      this.#draft.put(followed.number, placed);
    }
    this.#hasRoom = without.size === 0;
  }
}

/** Calls back for each rule that has a peer of its own, with its place among the steps. */
function forPeers(of: PolicyClass, call: (peer: PeerExpr, place: number) => void): void {
  for (const [place, step] of of.steps.entries())
    if (step.kind === "rule" && step.rule.peer.kind !== "any") call(step.rule.peer, place);
}

/** A compiler that has given no numbers yet. */
export function createCompiler(limits: CompileLimits = DEFAULT_LIMITS, first: FirstNumbers = FROM_ONE): Compiler {
  return new TableCompiler(limits, first);
}
