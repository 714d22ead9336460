/**
 * Which label atoms each map of labels satisfies. Thirty thousand pods share a few hundred maps, so answers are kept by
 * map, and a new atom is asked once for each of them.
 */

import { type LabelMap, matchesLabels } from "./label-expr.ts";
import type { Atom, LabelDomain } from "./rule.ts";

type LabelAtom = Extract<Atom, { kind: "labels" }>;

/** Answers by map, for the atoms of one domain. */
interface Domain {
  /** In the order in which they came; a removed one leaves a gap until it is closed. */
  log: { readonly number: number; readonly atom: LabelAtom }[];
  readonly live: Set<number>;
  /** How many were removed so far. */
  removed: number;
  known: Map<LabelMap, Answer>;
}

interface Answer {
  /** Atoms of the log that were asked. */
  asked: number;
  /** Removed ones that are not in the answer any more. */
  removed: number;
  readonly yes: Set<number>;
}

/** Answers by map. */
export interface LabelAnswers {
  add(number: number, atom: LabelAtom): void;
  remove(number: number, domain: LabelDomain): void;
  /** Numbers of the atoms of that domain that the labels satisfy. */
  satisfied(domain: LabelDomain, labels: LabelMap): ReadonlySet<number>;
  /** Nobody bears the labels any more. */
  forget(domain: LabelDomain, labels: LabelMap): void;
}

/** Answers for no atoms. Maps are held until they are forgotten. */
export function createLabelAnswers(): LabelAnswers {
  const domains = new Map<LabelDomain, Domain>();
  function of(name: LabelDomain): Domain {
    let domain = domains.get(name);
    if (domain !== undefined) return domain;
    domain = { log: [], live: new Set(), removed: 0, known: new Map() };
    domains.set(name, domain);
    return domain;
  }
  return {
    add(number, atom) {
      const domain = of(atom.domain);
      domain.log.push({ number, atom });
      domain.live.add(number);
    },
    remove(number, name) {
      const domain = of(name);
      domain.live.delete(number);
      domain.removed++;
      if (domain.log.length < 64 || domain.live.size * 2 > domain.log.length) return;
      // Mostly gaps: begin anew, which costs one asking of everything.
      domain.log = domain.log.filter((e) => domain.live.has(e.number));
      domain.known = new Map();
    },
    satisfied(name, labels) {
      const domain = of(name);
      let answer = domain.known.get(labels);
      if (answer === undefined) {
        answer = { asked: 0, removed: domain.removed, yes: new Set() };
        domain.known.set(labels, answer);
      }
      for (; answer.asked < domain.log.length; answer.asked++) {
        const entry = domain.log[answer.asked];
        if (entry && domain.live.has(entry.number) && matchesLabels(entry.atom.expr, labels))
          answer.yes.add(entry.number);
      }
      if (answer.removed !== domain.removed)
        for (const number of answer.yes) if (!domain.live.has(number)) answer.yes.delete(number);
      answer.removed = domain.removed;
      return answer.yes;
    },
    forget: (name, labels) => void of(name).known.delete(labels),
  };
}
