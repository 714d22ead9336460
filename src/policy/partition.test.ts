import assert from "node:assert/strict";
import { test } from "node:test";
import { type Addr, addr, familyBits } from "../net/addr.ts";
import { hostPrefix, prefix } from "../net/prefix.ts";
import { worldFacts } from "./facts.ts";
import type { Overlay } from "./identity.ts";
import type { LabelMap } from "./label-expr.ts";
import { createPartition, FIRST_IDENTITY, type Partition } from "./partition.ts";
import { keyOfAtom, matchesAtom } from "./peer.ts";
import type { AddressFacts, Atom, NamedPort } from "./rule.ts";
import { createRandom } from "./testing/random.ts";

const LABELS: readonly LabelMap[] = ["a", "b", "c"].map((v) => new Map([["app", v]]));
const PORTS: readonly (readonly NamedPort[])[] = [
  [],
  [{ name: "http", protocol: 6, port: 80 }],
  [{ name: "http", protocol: 6, port: 8080 }],
  [{ name: "other", protocol: 6, port: 1 }],
];

function pod(a: Addr, labels: LabelMap, namedPorts: readonly NamedPort[] = []): AddressFacts {
  return { addr: a, entities: new Set(["pod"]), labels: new Map([["pod", [labels]]]), namedPorts, services: new Set() };
}

const app = (value: string): Atom => ({
  kind: "labels",
  domain: "pod",
  expr: { kind: "in", key: "app", values: [value] },
});
const cidr = (text: string, scope: "any" | "outside" = "any"): Atom => ({ kind: "cidr", prefix: prefix(text), scope });
const entity = (name: "pod" | "world"): Atom => ({ kind: "entity", entity: name });
const ATOMS: readonly Atom[] = [
  app("a"),
  app("b"),
  cidr("10.0.0.0/8"),
  cidr("10.0.0.0/30"),
  cidr("10.0.0.0/30", "outside"),
  cidr("fd00::/16"),
  entity("pod"),
  entity("world"),
];

function use(p: Partition, atoms: readonly Atom[], names: readonly string[] = []): void {
  p.use(new Map(atoms.map((a) => [keyOfAtom(a), a])), new Set(names));
}

const [A, B] = LABELS as [LabelMap, LabelMap];
const ONE = addr("10.0.0.1");
const TWO = addr("10.0.0.2");

test("addresses that nothing tells apart share an identity", () => {
  const p = createPartition();
  p.set(pod(ONE, A));
  p.set(pod(TWO, B));
  assert.equal(p.identityOf(ONE).number, p.identityOf(TWO).number);
  assert.equal(p.identityOf(ONE).number, p.identityOf(addr("8.8.8.8")).number);
  assert.ok(p.identityOf(ONE).number >= FIRST_IDENTITY);
});

test("a new atom splits an identity, its end merges it again", () => {
  const p = createPartition();
  p.set(pod(ONE, A));
  p.set(pod(TWO, B));
  const before = p.identityOf(TWO).number;
  use(p, [app("a")]);
  assert.notEqual(p.identityOf(ONE).number, p.identityOf(TWO).number);
  assert.equal(p.identityOf(TWO).number, before, "who is not met keeps its number");
  use(p, []);
  assert.equal(p.identityOf(ONE).number, p.identityOf(TWO).number);
});

test("families are never one identity", () => {
  const p = createPartition();
  assert.notEqual(p.identityOf(addr("8.8.8.8")).number, p.identityOf(addr("2001:db8::1")).number);
});

test("a named port tells pods apart only while a rule asks for the name", () => {
  const p = createPartition();
  p.set(pod(ONE, A, PORTS[1]));
  p.set(pod(TWO, A, PORTS[2]));
  assert.equal(p.identityOf(ONE).number, p.identityOf(TWO).number);
  use(p, [], ["http"]);
  assert.notEqual(p.identityOf(ONE).number, p.identityOf(TWO).number);
});

test("a prefix in use gets a row, nested ones hold what is around them", () => {
  const p = createPartition();
  use(p, [cidr("203.0.113.0/24"), cidr("203.0.113.128/25"), cidr("0.0.0.0/0")]);
  const rows = [...p.rows()].map((r) => r.prefix.text).sort();
  assert.deepEqual(rows, ["0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25", "::/0"]);
  const inner = p.identityOf(addr("203.0.113.200"));
  assert.ok(inner.has(cidr("203.0.113.0/24")) && inner.has(cidr("203.0.113.128/25")) && inner.has(cidr("0.0.0.0/0")));
});

test("an overlay gives its labels to every address inside", () => {
  const p = createPartition();
  const overlay: Overlay = {
    prefix: prefix("203.0.113.0/24"),
    entities: new Set(),
    labels: new Map([["calico", [new Map([["set", "partners"]])]]]),
    services: new Set(["x/api"]),
  };
  p.overlay([overlay]);
  const set: Atom = { kind: "labels", domain: "calico", expr: { kind: "has", key: "set" } };
  const service: Atom = { kind: "service", namespace: "x", name: "api" };
  use(p, [set, service]);
  assert.ok(p.identityOf(addr("203.0.113.9")).has(set) && p.identityOf(addr("203.0.113.9")).has(service));
  assert.ok(!p.identityOf(addr("8.8.8.8")).has(set));
  p.overlay([]);
  assert.ok(!p.identityOf(addr("203.0.113.9")).has(set));
});

/** What is said of every address in a prefix, by an overlay that has a label and a service. */
const overlayAt = (text: string, set: string): Overlay => ({
  prefix: prefix(text),
  entities: new Set(),
  labels: new Map([["calico", [new Map([["set", set]])]]]),
  services: new Set([`x/${set}`]),
});
const OVERLAYS = ["10.0.0.0/29", "10.0.0.4/32", "10.0.0.0/8", "fd00::/120", "198.51.100.0/24"].flatMap((p) => [
  overlayAt(p, "one"),
  overlayAt(p, "two"),
]);
const MORE_ATOMS: readonly Atom[] = [
  ...ATOMS,
  cidr("10.0.0.1/32"),
  cidr("10.0.0.8/29"),
  cidr("0.0.0.0/0"),
  { kind: "labels", domain: "calico", expr: { kind: "in", key: "set", values: ["one"] } },
  { kind: "service", namespace: "x", name: "two" },
  { kind: "named-port", name: "http", protocol: 6, port: 80 },
];

test("changes lead from any rows to those of now, and an identity that stays answers as it did", () => {
  let kept = 0;
  let coarse = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const r = createRandom(seed);
    const addrs = Array.from({ length: 16 }, (_, i) => addr(i % 4 === 3 ? `fd00::${i}` : `10.0.0.${i}`));
    const p = createPartition();
    const kernel = new Map<string, number>();
    let overlays: readonly Overlay[] = [];
    let atoms: readonly Atom[] = [];
    for (let step = 0; step < 60; step++) {
      for (let n = r.below(3); n > 0; n--) {
        const a = r.pick(addrs);
        if (r.oneIn(3)) p.delete(a);
        else p.set(pod(a, r.pick(LABELS), r.pick(PORTS)));
      }
      const stay = new Map([...p.identities()].map((i) => [i, atoms.map((a) => i.has(a))]));
      const before = atoms;
      if (r.oneIn(3)) atoms = r.oneIn(4) ? [] : MORE_ATOMS.filter(() => r.oneIn(2));
      if (r.oneIn(4)) overlays = OVERLAYS.filter(() => r.oneIn(3));
      if (r.oneIn(2)) use(p, atoms, r.oneIn(2) ? ["http"] : []);
      else atoms = before;
      p.overlay(overlays);
      const isCoarse = atoms.length === 0 && r.oneIn(2);
      p.coarsen(isCoarse);
      const now = new Set(p.identities());
      for (const [identity, answers] of stay) {
        if (!now.has(identity)) continue;
        kept++;
        for (const [i, atom] of before.entries())
          if (atoms.includes(atom))
            assert.equal(identity.has(atom), answers[i], `seed ${seed} step ${step} ${keyOfAtom(atom)}`);
      }
      const { put, removed } = p.changes();
      for (const row of put) {
        assert.notEqual(kernel.get(row.prefix.text), row.identity, "what is the same is not told again");
        kernel.set(row.prefix.text, row.identity);
      }
      for (const gone of removed) assert.ok(kernel.delete(gone.text), `${gone.text} was never told`);
      const rows = new Map([...p.rows()].map((row) => [row.prefix.text, row.identity]));
      for (const { prefix: at, identity } of p.rows())
        assert.equal(p.rowOf(at.addr, at.length)?.identity, identity, at.text);
      for (const a of addrs)
        if (!rows.has(hostPrefix(a).text)) assert.equal(p.rowOf(a, familyBits(a.family)), undefined, a.text);
      assert.deepEqual(new Map([...kernel].sort()), new Map([...rows].sort()), `seed ${seed} step ${step}`);
      assert.equal(p.rowCount(), rows.size);
      if (isCoarse) {
        coarse++;
        assert.deepEqual([...rows.keys()].sort(), ["0.0.0.0/0", "::/0"]);
      }
    }
  }
  assert.ok(kept > 1000, `only ${kept} identities stayed`);
  assert.ok(coarse > 50, `only ${coarse} states had the rows of whole families alone`);
});

test("whatever happened before, the partition is the one that a fresh look gives", () => {
  const r = createRandom(7);
  const addrs = Array.from({ length: 24 }, (_, i) => addr(i % 4 === 3 ? `fd00::${i}` : `10.0.0.${i}`));
  const p = createPartition();
  const known = new Map<string, AddressFacts>();
  for (let step = 0; step < 300; step++) {
    const a = r.pick(addrs);
    if (r.oneIn(3)) {
      p.delete(a);
      known.delete(a.text);
    } else {
      const facts = pod(a, r.pick(LABELS), r.pick(PORTS));
      p.set(facts);
      known.set(a.text, facts);
    }
    const atoms = r.oneIn(4) ? ATOMS.filter(() => r.oneIn(2)) : undefined;
    if (atoms !== undefined) use(p, atoms, r.oneIn(2) ? ["http"] : []);
    for (const atom of atoms ?? [])
      for (const other of addrs) {
        const facts = known.get(other.text) ?? worldFacts(other);
        assert.equal(
          p.identityOf(other).has(atom),
          matchesAtom(atom, facts),
          `step ${step} ${other.text} ${keyOfAtom(atom)}`,
        );
      }
    const numbers = new Set([...p.identities()].map((i) => i.number));
    for (const row of p.rows()) assert.ok(numbers.has(row.identity), `step ${step}: ${row.prefix.text}`);
  }
});
