/** Who bears which labels: found by the rarest label that an expression needs, where it needs one, and not by asking everybody. */

import { CompactSet } from "../base/compact-set.ts";
import { type LabelExpr, type LabelMap, matchesLabels } from "./label-expr.ts";

interface Bearers<P> {
  readonly labels: LabelMap;
  readonly all: CompactSet<P>;
}

/** Sets that together hold all that can satisfy an expression; undefined: anybody can. */
type Candidates<P> = readonly ReadonlySet<Bearers<P>>[] | undefined;

function sizeOf(candidates: Candidates<unknown>): number {
  return candidates?.reduce((sum, { size }) => sum + size, 0) ?? Number.POSITIVE_INFINITY;
}

/** Maps of labels by key and value. The same map is one, whoever bears it. */
export class LabelIndex<P> {
  readonly #byMap = new Map<LabelMap, Bearers<P>>();
  readonly #byLabel = new Map<string, Map<string, Set<Bearers<P>>>>();

  /** Somebody bears the labels, or does so no longer. @returns whether nobody does any more */
  change(labels: LabelMap, bearer: P, isBearer: boolean): boolean {
    let bearers = this.#byMap.get(labels);
    if (isBearer) {
      if (bearers === undefined) {
        bearers = { labels, all: new CompactSet() };
        this.#byMap.set(labels, bearers);
        for (const [key, value] of labels) this.#addLabel(key, value, bearers);
      }
      bearers.all.add(bearer);
      return false;
    }
    if (bearers?.all.delete(bearer) !== true || bearers.all.size > 0) return false;
    this.#byMap.delete(labels);
    for (const [key, value] of labels) this.#removeLabel(key, value, bearers);
    return true;
  }

  /** Those whose labels satisfy the expression; who bears several maps may be there several times. */
  *matching(expr: LabelExpr): Generator<P> {
    const seen = new Set<Bearers<P>>();
    for (const some of this.#candidates(expr) ?? [this.#byMap.values()])
      for (const bearers of some) {
        if (seen.has(bearers) || !matchesLabels(expr, bearers.labels)) continue;
        seen.add(bearers);
        yield* bearers.all;
      }
  }

  #candidates(expr: LabelExpr): Candidates<P> {
    switch (expr.kind) {
      case "none":
        return [];
      case "all":
      case "not":
        return undefined;
      case "in": {
        const byValue = this.#byLabel.get(expr.key);
        return expr.values.flatMap((value) => byValue?.get(value) ?? []);
      }
      case "and":
        return expr.of
          .map((part) => this.#candidates(part))
          .reduce((a, b) => (sizeOf(b) < sizeOf(a) ? b : a), undefined);
      case "or": {
        const all: ReadonlySet<Bearers<P>>[] = [];
        for (const part of expr.of) {
          const found = this.#candidates(part);
          if (found === undefined) return undefined;
          all.push(...found);
        }
        return all;
      }
      default:
        return [...(this.#byLabel.get(expr.key)?.values() ?? [])];
    }
  }

  #addLabel(key: string, value: string, bearers: Bearers<P>): void {
    const byValue = this.#byLabel.get(key) ?? new Map<string, Set<Bearers<P>>>();
    this.#byLabel.set(key, byValue);
    byValue.set(value, (byValue.get(value) ?? new Set()).add(bearers));
  }

  #removeLabel(key: string, value: string, bearers: Bearers<P>): void {
    const byValue = this.#byLabel.get(key);
    const of = byValue?.get(value);
    of?.delete(bearers);
    if (of?.size === 0) byValue?.delete(value);
    if (byValue?.size === 0) this.#byLabel.delete(key);
  }
}
