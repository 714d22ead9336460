import assert from "node:assert/strict";
import { test } from "node:test";
import { type Addr, addr } from "../net/addr.ts";
import { prefix } from "../net/prefix.ts";
import type { Overlay } from "./identity.ts";
import { createPartition, type Partition } from "./partition.ts";
import { keyOfAtom } from "./peer.ts";
import type { AddressFacts, Atom, NamedPort } from "./rule.ts";
import { createRandom } from "./testing/random.ts";

const VALUES = ["a", "b", "c"] as const;
const LABELS = VALUES.map((value) => new Map([["app", value]]));
const HTTP: readonly NamedPort[] = [{ name: "http", protocol: 6, port: 80 }];
const ADDRS = Array.from({ length: 20 }, (_, i) => addr(i % 4 === 3 ? `fd00::${i}` : `10.0.0.${i}`));
/** Places at which nobody is known. */
const NOBODY = ["10.0.0.200", "10.1.0.1", "198.51.100.7", "fd00::ff", "2001:db8::1"].map(addr);

const cidrs = ["10.0.0.0/8", "10.0.0.0/29", "10.0.0.2/32", "10.0.0.8/30", "198.51.100.0/24", "fd00::/120", "0.0.0.0/0"];
const ATOMS: readonly Atom[] = [
  ...VALUES.map((v): Atom => ({ kind: "labels", domain: "pod", expr: { kind: "in", key: "app", values: [v] } })),
  { kind: "labels", domain: "pod", expr: { kind: "in", key: "app", values: ["a", "b"] } },
  { kind: "labels", domain: "calico", expr: { kind: "has", key: "set" } },
  ...cidrs.flatMap((text): Atom[] => [
    { kind: "cidr", prefix: prefix(text), scope: "any" },
    { kind: "cidr", prefix: prefix(text), scope: "outside" },
  ]),
  { kind: "entity", entity: "pod" },
  { kind: "entity", entity: "world" },
  { kind: "service", namespace: "x", name: "api" },
  { kind: "named-port", name: "http", protocol: 6, port: 80 },
];
const OVERLAYS: readonly Overlay[] = ["10.0.0.0/29", "10.0.0.4/32", "198.51.100.0/24", "fd00::/112"].map((text) => ({
  prefix: prefix(text),
  entities: new Set(),
  labels: new Map([["calico", [new Map([["set", text]])]]]),
  services: new Set(text.endsWith("/32") ? [] : ["x/api"]),
}));

const mapOf = (atoms: Iterable<Atom>) => new Map(Array.from(atoms, (a) => [keyOfAtom(a), a]));

/** Everything that the partition says, without its numbers. */
function says(p: Partition, atoms: readonly Atom[]): unknown {
  const all = [...ADDRS, ...NOBODY];
  const firsts = new Map<number, Addr>();
  for (const a of all) {
    const { number } = p.identityOf(a);
    if (!firsts.has(number)) firsts.set(number, a);
  }
  return all.map((a) => {
    const identity = p.identityOf(a);
    const like = firsts.get(identity.number)?.text;
    return [a.text, like, identity.namedPorts, ...atoms.map((atom) => identity.has(atom))];
  });
}

test("whatever came and went, the partition is the one that is made from nothing, and knows who satisfies an atom", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const r = createRandom(seed);
    const p = createPartition();
    const known = new Map<Addr, AddressFacts>();
    let [overlays, names]: [readonly Overlay[], ReadonlySet<string>] = [[], new Set()];
    let atoms = new Set<Atom>();
    for (let step = 0; step < 40; step++) {
      for (let n = r.below(3); n > 0; n--) {
        const a = r.pick(ADDRS);
        const facts: AddressFacts = {
          addr: a,
          entities: new Set([r.oneIn(3) ? "world" : "pod"]),
          labels: new Map([["pod", [r.pick(LABELS)]]]),
          namedPorts: r.oneIn(2) ? HTTP : [],
          services: new Set(r.oneIn(4) ? ["x/api"] : []),
        };
        known.set(a, facts);
        p.set(facts);
      }
      if (r.oneIn(5)) {
        overlays = OVERLAYS.filter(() => r.oneIn(2));
        p.overlay(overlays);
      }
      if (r.oneIn(6)) names = new Set(names.size === 0 ? ["http"] : []);
      // As a compiler does: beside what is in use, then what is not any more; or at once.
      const wanted = r.oneIn(8) ? ATOMS.filter(() => r.oneIn(2)) : ATOMS.filter((a) => atoms.has(a) !== r.oneIn(9));
      if (r.oneIn(2)) p.useAlso(mapOf(wanted), names);
      p.use(mapOf(wanted), names);
      atoms = new Set(wanted);
      const fresh = createPartition();
      fresh.use(mapOf(wanted), names);
      fresh.overlay(overlays);
      for (const facts of known.values()) fresh.set(facts);
      assert.deepEqual(says(p, wanted), says(fresh, wanted), `seed ${seed} step ${step}`);
      for (const atom of wanted)
        assert.deepEqual(
          new Set(p.satisfying(atom)),
          new Set([...p.identities()].filter((i) => i.has(atom))),
          `seed ${seed} step ${step} ${keyOfAtom(atom)}`,
        );
    }
  }
});
