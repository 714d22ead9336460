import assert from "node:assert/strict";
import { test } from "node:test";
import { CompactSet } from "../base/compact-set.ts";
import { prefix } from "../net/prefix.ts";
import { AtomsInUse } from "./atoms-in-use.ts";
import { keyOfAtom } from "./peer.ts";
import type { Profile } from "./profiles.ts";
import type { Atom, Facts } from "./rule.ts";

const app = (value: string): Atom => ({
  kind: "labels",
  domain: "pod",
  expr: { kind: "in", key: "app", values: [value] },
});
const cidr = (scope: "any" | "outside"): Atom => ({ kind: "cidr", prefix: prefix("10.0.0.0/8"), scope });
const HTTP: Atom = { kind: "named-port", name: "http", protocol: 6, port: 80 };
const mapOf = (...atoms: readonly Atom[]) => new Map(atoms.map((a) => [keyOfAtom(a), a]));
const NO_NAMES: ReadonlySet<string> = new Set();

const FACTS: Facts = {
  entities: new Set(["pod"]),
  labels: new Map([["pod", [new Map([["app", "a"]])]]]),
  services: new Set(),
  namedPorts: [
    { name: "http", protocol: 6, port: 80 },
    { name: "dns", protocol: 17, port: 53 },
  ],
};
const AROUND = [prefix("10.0.0.0/8"), prefix("0.0.0.0/0")];

function profile(facts: Facts): Profile {
  const place = { prefix: prefix("10.0.0.0/8"), overlays: [] };
  return { factsKey: "", facts, place, identity: undefined, holders: new CompactSet() };
}

test("an atom keeps its number while it is in use, and no other gets it afterwards", () => {
  const atoms = new AtomsInUse();
  atoms.use(mapOf(app("a"), app("b")), NO_NAMES);
  const [a, b] = [atoms.numberOf(app("a")), atoms.numberOf(app("b"))];
  assert.ok(a !== undefined && b !== undefined && a !== b);
  atoms.use(mapOf(app("b"), app("c")), NO_NAMES);
  assert.equal(atoms.numberOf(app("b")), b);
  assert.equal(atoms.numberOf(app("a")), undefined);
  assert.ok(![a, b].includes(atoms.numberOf(app("c")) as number));
});

test("a use tells what came and what went, atoms and names", () => {
  const atoms = new AtomsInUse();
  const told = ({ atoms: changed, portNames }: ReturnType<AtomsInUse["use"]>) => [
    changed.map(({ atom, by }) => `${by} ${keyOfAtom(atom)}`),
    [...portNames],
  ];
  atoms.use(mapOf(app("a")), new Set(["http"]));
  const [a, b] = [app("a"), app("b")].map(keyOfAtom);
  assert.deepEqual(told(atoms.useAlso(mapOf(app("a"), app("b")), new Set(["dns"]))), [[`1 ${b}`], ["dns"]]);
  assert.deepEqual(told(atoms.use(mapOf(app("b")), new Set(["dns"]))), [[`-1 ${a}`], ["http"]]);
  assert.deepEqual(told(atoms.use(mapOf(app("b")), new Set(["dns"]))), [[], []]);
});

test("traits are what a profile answers to the atoms in use, and its ports whose names are", () => {
  const atoms = new AtomsInUse();
  atoms.use(mapOf(app("a"), app("b"), cidr("any"), cidr("outside"), HTTP), new Set(["dns"]));
  const traits = atoms.traitsOf(profile(FACTS), AROUND);
  assert.deepEqual(traits.yes, new Set([app("a"), cidr("any"), HTTP].map((a) => atoms.numberOf(a))));
  assert.deepEqual(
    traits.namedPorts.map((p) => p.name),
    ["dns"],
  );
  const world = atoms.traitsOf(profile({ ...FACTS, entities: new Set(["world"]) }), AROUND);
  assert.ok(world.yes.has(atoms.numberOf(cidr("outside")) as number), "only the world is outside of the cluster");
  assert.notEqual(world.key, traits.key);
});

test("what is not in use tells no profiles apart", () => {
  const atoms = new AtomsInUse();
  const other: Facts = { ...FACTS, labels: new Map([["pod", [new Map([["app", "b"]])]]]), namedPorts: [] };
  assert.equal(atoms.traitsOf(profile(FACTS), AROUND).key, atoms.traitsOf(profile(other), AROUND).key);
  atoms.use(new Map(), new Set(["http"]));
  assert.notEqual(atoms.traitsOf(profile(FACTS), AROUND).key, atoms.traitsOf(profile(other), AROUND).key);
});
