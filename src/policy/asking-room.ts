/**
 * Whose rules have no room in the tables that are not a class's own: each class is a row of one, and what its rules ask parts
 * addresses, each of which is a row of the other.
 */

import { remembered } from "../base/remembered.ts";
import { atomsOfClass, namesOfClass, type PolicyClass } from "./classes.ts";
import type { CompileLimits } from "./room.ts";

/** Classes that stand for those without room: one for each direction and reason. */
export const CLOSED_CLASSES = 4;

const NONE: ReadonlyMap<string, string> = new Map();
/** Prefixes that the class's rules name: each is a row, whoever has addresses there. */
const prefixesOf = remembered((of: PolicyClass): ReadonlySet<string> => {
  const prefixes = new Set<string>();
  for (const atom of atomsOfClass(of).values()) if (atom.kind === "cidr") prefixes.add(atom.prefix.text);
  return prefixes;
});

function asksOf(of: PolicyClass): boolean {
  return atomsOfClass(of).size > 0 || (of.direction === "egress" && namesOfClass(of).size > 0);
}

function mayNotFit(
  classes: ReadonlyMap<string, PolicyClass>,
  knownRows: number,
  { classes: most, identityRows }: CompileLimits,
): boolean {
  let rows = knownRows;
  for (const of of classes.values()) rows += prefixesOf(of).size;
  return rows > identityRows || classes.size > most - CLOSED_CLASSES;
}

/**
 * Who comes first has room, as in `findRoom`. Where even the rows that are there without any question are too many, nobody may ask:
 * rules that ask nothing need none of them.
 * @param classes by their keys, in their order
 * @param knownRows rows of identities that no class is the reason of
 * @returns why a class has no room, for those that have none
 */
export function findUnasked(
  classes: ReadonlyMap<string, PolicyClass>,
  knownRows: number,
  limits: CompileLimits,
): ReadonlyMap<string, string> {
  if (!mayNotFit(classes, knownRows, limits)) return NONE;
  const without = new Map<string, string>();
  const prefixes = new Set<string>();
  let room = limits.classes - CLOSED_CLASSES;
  for (const [key, of] of classes) {
    const added = prefixesOf(of).difference(prefixes);
    if (room <= 0) without.set(key, `The table of classes is full: ${limits.classes} rows`);
    else if (asksOf(of) && knownRows + prefixes.size + added.size > limits.identityRows)
      without.set(key, `The table of identities is full: ${limits.identityRows} rows`);
    else {
      room--;
      for (const text of added) prefixes.add(text);
    }
  }
  return without;
}
