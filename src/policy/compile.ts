/** From endpoints, ordered policies and the partition of addresses to the kernel's tables. */

import type { Family } from "../net/addr.ts";
import { addAtoms, classOf, type Endpoint, infoText, namesIn, type PolicyClass, stepInfo } from "./classes.ts";
import type { Identity, Partition } from "./identity.ts";
import { createNumbers } from "./numbers.ts";
import type { OrderedTier, Step } from "./order.ts";
import { evaluatePeer, peerText } from "./peer.ts";
import type { Atom, PeerExpr } from "./rule.ts";
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

/** Compiles again and again; numbers stay what they were as long as what they stand for is there. */
export interface Compiler {
  compile(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables;
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

/** The answers of a class before it is known whether they fit. */
interface ClassAnswers {
  readonly row: ClassRow;
  readonly peers: Map<number, number>;
  /** Set number → rows, those that no class before had. */
  readonly added: ReadonlyMap<number, { readonly rows: readonly SetRow[]; readonly text: string }>;
  readonly rows: number;
}

const rowText = (r: SetRow) => `${r.prefixLength} ${r.protocol} ${r.port} ${verdictText(r.verdict)}`;

/** Which identities each peer expression means: asked once for each expression. */
function createPeerAnswers(identities: readonly Identity[]): (expr: PeerExpr) => readonly boolean[] {
  const known = new Map<string, readonly boolean[]>();
  const texts = new WeakMap<PeerExpr, readonly boolean[]>();
  return (expr) => {
    const quick = texts.get(expr);
    if (quick !== undefined) return quick;
    const text = peerText(expr);
    const answer = known.get(text) ?? identities.map((i) => evaluatePeer(expr, i.has));
    known.set(text, answer);
    texts.set(expr, answer);
    return answer;
  };
}

/** The number that stands most often among those of a family; undefined when there are none. */
function commonest(sets: readonly number[], identities: readonly Identity[], family: Family): number {
  const counts = new Map<number, number>();
  for (const [i, set] of sets.entries())
    if (identities[i]?.family === family) counts.set(set, (counts.get(set) ?? 0) + 1);
  let best: readonly [number, number] = [CLOSED, 0];
  for (const entry of counts) if (entry[1] > best[1]) best = entry;
  return best[0];
}

class TableCompiler implements Compiler {
  readonly #limits: CompileLimits;
  readonly #classNumbers = createNumbers(1);
  readonly #setNumbers = createNumbers(1);
  readonly #ruleNumbers = createNumbers(1);

  constructor(limits: CompileLimits) {
    this.#limits = limits;
  }

  compile(ordered: readonly OrderedTier[], endpoints: readonly Endpoint[], partition: Partition): PolicyTables {
    const classes = new Map<string, PolicyClass>();
    const classed = endpoints.map((endpoint) => {
      const ingress = classOf(ordered, endpoint, "ingress");
      const egress = classOf(ordered, endpoint, "egress");
      for (const c of [ingress, egress]) if (!classes.has(c.key)) classes.set(c.key, c);
      return { key: endpoint.key, ingress: ingress.key, egress: egress.key };
    });
    const atoms = new Map<string, Atom>();
    for (const c of classes.values()) addAtoms(atoms, c);
    const egressSteps = [...classes.values()].flatMap((c) => (c.direction === "egress" ? c.steps : []));
    partition.use(atoms, namesIn(egressSteps));

    const identities = [...partition.identities()];
    const draft = newDraft();
    const answers = createPeerAnswers(identities);
    for (const c of classes.values()) this.#addClass(draft, c, identities, answers);
    this.#classNumbers.keep(new Set(classes.keys()));
    this.#setNumbers.keep(draft.setTexts);
    this.#ruleNumbers.keep(new Set([...draft.rules.values()].map(infoText)));
    const numbers = new Map<string, EndpointClasses>();
    for (const e of classed)
      numbers.set(e.key, {
        ingress: this.#classNumbers.numberOf(e.ingress),
        egress: this.#classNumbers.numberOf(e.egress),
      });
    const { classes: rows, peers, sets, rules, overflow } = draft;
    return { classes: rows, peers, sets, rules, overflow, endpoints: numbers };
  }

  /** Adds a class if it fits; else it is closed, and said so. */
  #addClass(
    draft: Draft,
    of: PolicyClass,
    identities: readonly Identity[],
    answers: (expr: PeerExpr) => readonly boolean[],
  ): void {
    const number = this.#classNumbers.numberOf(of.key);
    const found = this.#answer(draft, of, identities, answers);
    const why = this.#misfit(draft, found);
    if (why !== undefined) {
      draft.overflow.set(number, why);
      draft.classes.set(number, { set4: CLOSED, set6: CLOSED });
      return;
    }
    draft.classes.set(number, found.row);
    if (found.peers.size > 0) draft.peers.set(number, found.peers);
    for (const [set, { rows, text }] of found.added) {
      draft.sets.set(set, rows);
      draft.setTexts.add(text);
      draft.setRows += rows.length;
    }
    draft.peerRows += found.peers.size;
  }

  #misfit(draft: Draft, found: ClassAnswers): string | undefined {
    const { setRowsPerClass, setRows, peerRows } = this.#limits;
    const rows = [...found.added.values()].reduce((n, a) => n + a.rows.length, 0);
    if (found.rows > setRowsPerClass)
      return `Its rules need ${found.rows} rows, at most ${setRowsPerClass} are allowed`;
    if (draft.setRows + rows > setRows) return `The table of sets is full: ${setRows} rows`;
    if (draft.peerRows + found.peers.size > peerRows) return `The table of peers is full: ${peerRows} rows`;
    return undefined;
  }

  #answer(
    draft: Draft,
    of: PolicyClass,
    identities: readonly Identity[],
    answers: (expr: PeerExpr) => readonly boolean[],
  ): ClassAnswers {
    const asked = of.direction === "egress" ? namesIn(of.steps) : new Set<string>();
    const matching = of.steps.map((s) => (s.kind === "rule" ? answers(s.rule.peer) : undefined));
    const bySteps = new Map<string, number>();
    const added = new Map<number, { rows: readonly SetRow[]; text: string }>();
    let rows = 0;
    const sets = identities.map((identity, i) => {
      const places = of.steps.flatMap((_, n) => (matching[n]?.[i] === false ? [] : [n]));
      const names = of.direction === "ingress" ? of.names : identity.namedPorts.filter((p) => asked.has(p.name));
      const key = `${identity.family} ${places.join(",")} ${names.map((n) => `${n.name}:${n.protocol}:${n.port}`).join(" ")}`;
      const known = bySteps.get(key);
      if (known !== undefined || rows > this.#limits.setRowsPerClass) return known ?? CLOSED;
      const steps = of.steps.filter((_, n) => matching[n]?.[i] !== false);
      const numberOf = (step: Step) => this.#ruleNumber(draft, step, of);
      const set = buildSet({ steps, family: identity.family, names, numberOf });
      const text = set.map(rowText).join("\n");
      const number = this.#setNumbers.numberOf(text);
      bySteps.set(key, number);
      rows += set.length;
      if (!draft.sets.has(number)) added.set(number, { rows: set, text });
      return number;
    });
    const row: ClassRow = { set4: commonest(sets, identities, 4), set6: commonest(sets, identities, 6) };
    const peers = new Map<number, number>();
    for (const [i, identity] of identities.entries()) {
      const set = sets[i] ?? CLOSED;
      if (set !== (identity.family === 4 ? row.set4 : row.set6)) peers.set(identity.number, set);
    }
    return { row, peers, added, rows };
  }

  #ruleNumber(draft: Draft, step: Step, of: PolicyClass): number {
    const info = stepInfo(step, of.direction);
    const number = this.#ruleNumbers.numberOf(infoText(info));
    draft.rules.set(number, info);
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
export function createCompiler(limits: CompileLimits = DEFAULT_LIMITS): Compiler {
  return new TableCompiler(limits);
}
