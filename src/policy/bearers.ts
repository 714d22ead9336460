/** Which profiles an atom can mean: by the labels, entities, services and ports that they bear. */

import type { LabelMap } from "./label-expr.ts";
import { LabelIndex } from "./label-index.ts";
import type { AddressFacts, Atom, LabelDomain, NamedPort } from "./rule.ts";

/** What can be borne: an address's own, or that of an overlay. */
export type Borne = Pick<AddressFacts, "entities" | "labels" | "services"> & Partial<Pick<AddressFacts, "namedPorts">>;

/** Profiles by what they bear. */
export interface Bearers<P> {
  add(profile: P, borne: Iterable<Borne>): void;
  /** @param borne the same as when it was added */
  delete(profile: P, borne: Iterable<Borne>): void;
  /** Those for which the answer to the atom can be yes, CIDRs aside: of these nobody here knows. */
  of(atom: Exclude<Atom, { kind: "cidr" }>): Iterable<P>;
  /** Those with a port of that name. */
  ofPortName(name: string): Iterable<P>;
}

/** One line; equal ports have equal text. */
export function portText(p: NamedPort): string {
  return `${p.name}:${p.protocol}:${p.port}`;
}

function* words(of: Borne): Generator<string> {
  for (const entity of of.entities) yield `entity ${entity}`;
  for (const service of of.services) yield `service ${service}`;
  for (const port of of.namedPorts ?? []) {
    yield `port ${portText(port)}`;
    yield `name ${port.name}`;
  }
}

/** Several profiles for each key; a key without profiles is none. */
class Index<K, P> {
  readonly #map = new Map<K, Set<P>>();

  change(key: K, profile: P, isBearer: boolean): void {
    const profiles = this.#map.get(key);
    if (isBearer) this.#map.set(key, (profiles ?? new Set()).add(profile));
    else if (profiles?.delete(profile) === true && profiles.size === 0) this.#map.delete(key);
  }

  get(key: K): Iterable<P> {
    return this.#map.get(key) ?? [];
  }
}

/** Nobody bears anything. @param onUnborne told of labels that nobody bears any more */
export function createBearers<P>(onUnborne: (domain: LabelDomain, labels: LabelMap) => void = () => {}): Bearers<P> {
  const byLabels = new Map<LabelDomain, LabelIndex<P>>();
  const byWord = new Index<string, P>();

  function change(profile: P, borne: Iterable<Borne>, isBearer: boolean): void {
    for (const of of borne) {
      for (const [domain, maps] of of.labels) {
        const index = byLabels.get(domain) ?? new LabelIndex<P>();
        byLabels.set(domain, index);
        for (const map of maps) if (index.change(map, profile, isBearer)) onUnborne(domain, map);
      }
      for (const word of words(of)) byWord.change(word, profile, isBearer);
    }
  }

  return {
    add: (profile, borne) => change(profile, borne, true),
    delete: (profile, borne) => change(profile, borne, false),
    of(atom) {
      if (atom.kind === "entity") return byWord.get(`entity ${atom.entity}`);
      if (atom.kind === "service") return byWord.get(`service ${atom.namespace}/${atom.name}`);
      if (atom.kind === "named-port") return byWord.get(`port ${portText(atom)}`);
      return byLabels.get(atom.domain)?.matching(atom.expr) ?? [];
    },
    ofPortName: (name) => byWord.get(`name ${name}`),
  };
}
