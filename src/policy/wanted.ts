/** What a state of policies and endpoints needs, whatever the addresses: its classes, and what their rules ask. */

import { findUnasked } from "./asking-room.ts";
import { atomsOfClass, classOf, closedClass, type Endpoint, namesOfClass, type PolicyClass } from "./classes.ts";
import type { FullTier } from "./order.ts";
import type { CompileLimits } from "./room.ts";
import type { AddressFacts, Atom, Direction } from "./rule.ts";
import { createSelections, type Selection } from "./selections.ts";

/** An endpoint's key, and its classes. The same object as long as they are the same. */
export interface Classed {
  readonly key: string;
  readonly ingress: PolicyClass;
  readonly egress: PolicyClass;
}

/** Classes by their key, and who is of which. */
export interface Wanted {
  /** The same object as long as there are the same classes. */
  readonly classes: ReadonlyMap<string, PolicyClass>;
  readonly classed: readonly Classed[];
}

/** What rules ask of addresses. */
export interface Questions {
  readonly atoms: ReadonlyMap<string, Atom>;
  /** Names of peers' ports. */
  readonly names: ReadonlySet<string>;
}

/** Nothing is wanted. */
export const NOTHING_WANTED: Wanted = { classes: new Map(), classed: [] };

const SIDES: readonly Direction[] = ["ingress", "egress"];

interface Known extends Classed {
  readonly of: Selection;
  readonly facts: AddressFacts;
}

function isSameClassed(a: Classed, b: Classed | undefined): boolean {
  return a === b || (a.key === b?.key && a.ingress === b.ingress && a.egress === b.egress);
}

function byKey(classed: readonly Classed[]): Map<string, PolicyClass> {
  const classes = new Map<string, PolicyClass>();
  for (const of of classed) for (const side of SIDES) classes.set(of[side].key, of[side]);
  return classes;
}

function hasSameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** Follows endpoints and policies: an endpoint keeps its classes as long as the same policies select it. */
export class WantedClasses {
  readonly #limits: CompileLimits;
  readonly #selections = createSelections();
  /** Of those that have no room. */
  readonly #closed = new Map<string, PolicyClass>();
  #known = new Map<string, Known>();
  /** As if all had room. */
  #meant: readonly Classed[] = [];
  #meantClasses: ReadonlyMap<string, PolicyClass> = new Map();
  #last = NOTHING_WANTED;
  readonly #atoms = new Map<string, Atom>();
  /** How many classes ask for which atom. */
  readonly #users = new Map<string, number>();
  #names: ReadonlySet<string> = new Set();

  constructor(limits: CompileLimits) {
    this.#limits = limits;
  }

  /** What the rules of the last update ask. It changes with the next. */
  get questions(): Questions {
    return { atoms: this.#atoms, names: this.#names };
  }

  /**
   * @param knownRows rows of identities, whatever is asked
   * @returns with what was not asked before; undefined: exactly the same is asked
   */
  update(
    ordered: readonly FullTier[],
    endpoints: readonly Endpoint[],
    knownRows: number,
  ): { readonly wanted: Wanted; readonly asked: Questions | undefined } {
    this.#selections.update(ordered, endpoints);
    const before = this.#known;
    this.#known = new Map();
    const meant = endpoints.map((endpoint) => this.#classify(endpoint, before.get(endpoint.key)));
    const isSame = meant.length === this.#meant.length && meant.every((c, i) => c === this.#meant[i]);
    if (!isSame) {
      this.#meant = meant;
      this.#meantClasses = byKey(meant);
    }
    const classed = this.#close(knownRows);
    const last = this.#last;
    if (classed.length === last.classed.length && classed.every((c, i) => isSameClassed(c, last.classed[i])))
      return { wanted: last, asked: undefined };
    const classes = classed === this.#meant ? this.#meantClasses : byKey(classed);
    const asksSame = hasSameKeys(last.classes, classes);
    this.#last = { classes: asksSame ? last.classes : classes, classed };
    return { wanted: this.#last, asked: asksSame ? undefined : this.#ask(last.classes, classes) };
  }

  #classify(endpoint: Endpoint, old: Known | undefined): Known {
    const of = this.#selections.of(endpoint.key);
    let known = old;
    if (known === undefined || known.of !== of || known.facts !== endpoint.facts) {
      const ingress = classOf(of.ingress, endpoint, "ingress");
      const egress = classOf(of.egress, endpoint, "egress");
      const isSame = old?.ingress.key === ingress.key && old.egress.key === egress.key;
      const classes = isSame ? { ingress: old.ingress, egress: old.egress } : { ingress, egress };
      known = { key: endpoint.key, ...classes, of, facts: endpoint.facts };
    }
    this.#known.set(endpoint.key, known);
    return known;
  }

  /** Those whose rules have no room are of a class that is closed. */
  #close(knownRows: number): readonly Classed[] {
    const unasked = findUnasked(this.#meantClasses, knownRows, this.#limits);
    if (unasked.size === 0) return this.#meant;
    const fitting = (of: PolicyClass) => {
      const why = unasked.get(of.key);
      return why === undefined ? of : this.#closedClass(of.direction, why);
    };
    return this.#meant.map(({ key, ingress, egress }) => ({ key, ingress: fitting(ingress), egress: fitting(egress) }));
  }

  #closedClass(direction: Direction, why: string): PolicyClass {
    const fresh = closedClass(direction, why);
    const known = this.#closed.get(fresh.key) ?? fresh;
    this.#closed.set(known.key, known);
    return known;
  }

  #ask(before: ReadonlyMap<string, PolicyClass>, now: ReadonlyMap<string, PolicyClass>): Questions | undefined {
    const added = new Map<string, Atom>();
    let hasLess = false;
    // First what comes: what others still ask is asked all the time.
    for (const [key, of] of now)
      if (!before.has(key))
        for (const [text, atom] of atomsOfClass(of)) {
          const users = this.#users.get(text) ?? 0;
          this.#users.set(text, users + 1);
          if (users > 0) continue;
          this.#atoms.set(text, atom);
          added.set(text, atom);
        }
    for (const [key, of] of before)
      if (!now.has(key))
        for (const text of atomsOfClass(of).keys()) {
          const users = (this.#users.get(text) ?? 0) - 1;
          this.#users.set(text, users);
          if (users > 0) continue;
          this.#users.delete(text);
          this.#atoms.delete(text);
          hasLess = true;
        }
    const names = new Set<string>();
    for (const of of now.values()) if (of.direction === "egress") for (const name of namesOfClass(of)) names.add(name);
    const isSame = !hasLess && added.size === 0 && names.symmetricDifference(this.#names).size === 0;
    if (!isSame) this.#names = names;
    return isSame ? undefined : { atoms: added, names };
  }
}
