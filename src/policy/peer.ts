/** Peer expressions: building them, asking them about an address, finding the atoms in them. */

import { assertNever } from "../base/assert-never.ts";
import { remembered } from "../base/remembered.ts";
import { prefixHas } from "../net/prefix.ts";
import { labelExprText, matchesLabels } from "./label-expr.ts";
import { type AddressFacts, type Atom, atomKey, type PeerExpr } from "./rule.ts";

/** Whether the answer to the atom's question is yes for the address. */
export function matchesAtom(atom: Atom, facts: AddressFacts): boolean {
  switch (atom.kind) {
    case "labels":
      for (const map of facts.labels.get(atom.domain) ?? []) if (matchesLabels(atom.expr, map)) return true;
      return false;
    case "cidr":
      return prefixHas(atom.prefix, facts.addr) && (atom.scope === "any" || facts.entities.has("world"));
    case "entity":
      return facts.entities.has(atom.entity);
    case "service":
      return facts.services.has(`${atom.namespace}/${atom.name}`);
    case "named-port":
      return facts.namedPorts.some((p) => p.name === atom.name && p.protocol === atom.protocol && p.port === atom.port);
    default:
      return assertNever(atom);
  }
}

/** Whether the expression holds, given an answer for each atom in it. */
export function evaluatePeer(expr: PeerExpr, answer: (atom: Atom) => boolean): boolean {
  switch (expr.kind) {
    case "any":
      return true;
    case "none":
      return false;
    case "is":
      return answer(expr.atom);
    case "not":
      return !evaluatePeer(expr.of, answer);
    case "and":
      for (const e of expr.of) if (!evaluatePeer(e, answer)) return false;
      return true;
    case "or":
      for (const e of expr.of) if (evaluatePeer(e, answer)) return true;
      return false;
    default:
      return assertNever(expr);
  }
}

/** Whether the address is one that the expression means. */
export function matchesPeer(expr: PeerExpr, facts: AddressFacts): boolean {
  return evaluatePeer(expr, (atom) => matchesAtom(atom, facts));
}

/** All atoms of the expression, with repetitions. */
export function* atomsOf(expr: PeerExpr): Generator<Atom> {
  if (expr.kind === "is") yield expr.atom;
  else if (expr.kind === "not") yield* atomsOf(expr.of);
  else if (expr.kind === "and" || expr.kind === "or") for (const e of expr.of) yield* atomsOf(e);
}

/** Adds all atoms of the expression by their keys. */
export function addAtoms(atoms: Map<string, Atom>, expr: PeerExpr): void {
  if (expr.kind === "is") atoms.set(keyOfAtom(expr.atom), expr.atom);
  else if (expr.kind === "not") addAtoms(atoms, expr.of);
  else if (expr.kind === "and" || expr.kind === "or") for (const e of expr.of) addAtoms(atoms, e);
}

/** The same text for the same question. */
export const keyOfAtom: (atom: Atom) => string = remembered((atom: Atom) => atomKey(atom, labelExprText));

/** One line; equal expressions have equal text. */
export const peerText: (expr: PeerExpr) => string = remembered(textOf);

function textOf(expr: PeerExpr): string {
  switch (expr.kind) {
    case "any":
    case "none":
      return expr.kind;
    case "is":
      return keyOfAtom(expr.atom);
    case "not":
      return `not (${textOf(expr.of)})`;
    case "and":
    case "or":
      return `(${expr.of.map(textOf).join(` ${expr.kind} `)})`;
    default:
      return assertNever(expr);
  }
}

/** An atom as an expression. */
export function is(atom: Atom): PeerExpr {
  return { kind: "is", atom };
}

/** All of them: `any` is dropped, `none` takes over. */
export function allOf(of: readonly PeerExpr[]): PeerExpr {
  const parts = of.filter((e) => e.kind !== "any");
  if (parts.some((e) => e.kind === "none")) return { kind: "none" };
  const [first] = parts;
  if (first === undefined) return { kind: "any" };
  return parts.length === 1 ? first : { kind: "and", of: parts };
}

/** One of them at least: `none` is dropped, `any` takes over. */
export function anyOf(of: readonly PeerExpr[]): PeerExpr {
  const parts = of.filter((e) => e.kind !== "none");
  if (parts.some((e) => e.kind === "any")) return { kind: "any" };
  const [first] = parts;
  if (first === undefined) return { kind: "none" };
  return parts.length === 1 ? first : { kind: "or", of: parts };
}

/** Entities are satisfied by nearly everybody. */
const weight = (atoms: readonly Atom[]) => atoms.reduce((sum, a) => sum + (a.kind === "entity" ? 1000 : 1), 0);

/** Atoms of which one holds wherever the expression does; undefined: there are none. */
export function anchorsOf(expr: PeerExpr): readonly Atom[] | undefined {
  if (expr.kind === "none") return [];
  if (expr.kind === "is") return [expr.atom];
  if (expr.kind === "any" || expr.kind === "not") return undefined;
  const parts = expr.of.map(anchorsOf);
  if (expr.kind === "or") return parts.some((p) => p === undefined) ? undefined : parts.flatMap((p) => p ?? []);
  return parts.reduce((a, b) => (a === undefined || (b !== undefined && weight(b) < weight(a)) ? b : a), undefined);
}
