import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { prefix } from "../net/prefix.ts";
import type { Overlay } from "./identity.ts";
import type { LabelMap } from "./label-expr.ts";
import { Places } from "./places.ts";
import { factsText, ProfileTable } from "./profile-table.ts";
import type { Atom, Facts } from "./rule.ts";

const TEN = prefix("10.0.0.0/8");
const LABELS: LabelMap = new Map([["app", "a"]]);
const FACTS: Facts = {
  entities: new Set(["pod"]),
  labels: new Map([["pod", [LABELS]]]),
  services: new Set(),
  namedPorts: [{ name: "http", protocol: 6, port: 80 }],
};
const APP_A: Atom = { kind: "labels", domain: "pod", expr: { kind: "in", key: "app", values: ["a"] } };
const API: Atom = { kind: "service", namespace: "x", name: "api" };
const WITH_API: Overlay = { prefix: TEN, entities: new Set(), labels: new Map(), services: new Set(["x/api"]) };

function setUp() {
  const places = new Places();
  const unborne: LabelMap[] = [];
  const table = new ProfileTable(places, (_, labels) => unborne.push(labels));
  places.count(TEN, 1);
  const profileAt = (text: string) => table.of(factsText(FACTS), FACTS, places.at(addr(text)));
  return { places, table, unborne, profileAt };
}

test("equal facts in one place are one profile, in another place another", () => {
  const { table, profileAt } = setUp();
  const here = profileAt("10.0.0.1");
  assert.equal(profileAt("10.0.0.2"), here);
  const there = profileAt("192.0.2.1");
  assert.notEqual(there, here);
  assert.deepEqual([...table], [here, there]);
});

test("an atom finds the profiles that can satisfy it: by what they bear, and by their place", () => {
  const { table, profileAt } = setUp();
  const [here, there] = [profileAt("10.0.0.1"), profileAt("192.0.2.1")];
  assert.deepEqual([...table.bearersOf(APP_A)], [here, there]);
  assert.deepEqual([...table.bearersOf({ kind: "cidr", prefix: TEN, scope: "any" })], [here]);
  assert.deepEqual([...table.bearersOf(API)], []);
  assert.deepEqual([...table.ofPortName("http")], [here, there]);
});

test("a place's overlays are borne by its profiles", () => {
  const { places, table, profileAt } = setUp();
  const [here] = [profileAt("10.0.0.1"), profileAt("192.0.2.1")];
  const place = places.at(addr("10.0.0.1"));
  places.overlay(TEN, [WITH_API]);
  assert.deepEqual([...table.overlaid(place)], [here]);
  assert.deepEqual([...table.bearersOf(API)], [here]);
  places.overlay(TEN, []);
  table.overlaid(place);
  assert.deepEqual([...table.bearersOf(API)], []);
});

test("a profile that ended is found no more, and the last one with its labels takes them along", () => {
  const { table, unborne, profileAt } = setUp();
  const [here, there] = [profileAt("10.0.0.1"), profileAt("192.0.2.1")];
  table.end(here);
  assert.deepEqual([...table.bearersOf(APP_A)], [there]);
  assert.deepEqual(unborne, []);
  table.end(there);
  assert.deepEqual([...table], []);
  assert.deepEqual(unborne, [LABELS]);
  assert.notEqual(profileAt("10.0.0.1"), here);
});
