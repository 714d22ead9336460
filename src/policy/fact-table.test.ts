import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { FactTable } from "./fact-table.ts";
import { worldFacts } from "./facts.ts";

function listening() {
  const told: string[] = [];
  const table = new FactTable((a, facts) => told.push(`${a.text} ${facts === undefined ? "gone" : name(facts)}`));
  const names = new Map<object, string>();
  const name = (facts: object) => names.get(facts) ?? "?";
  const facts = (text: string, as: string) => {
    const addrs = text.split(" ").map(addr);
    const made = { ...worldFacts(addr("0.0.0.0")) };
    names.set(made, as);
    return { addrs, facts: made };
  };
  return { table, told, facts };
}

test("the latest of equals counts, and the other one again when it goes", () => {
  const { table, told, facts } = listening();
  table.put("a", facts("10.0.0.1", "a"), 1);
  table.put("b", facts("10.0.0.1", "b"), 1);
  table.delete("b");
  table.delete("a");
  assert.deepEqual(told, ["10.0.0.1 a", "10.0.0.1 b", "10.0.0.1 a", "10.0.0.1 gone"]);
});

test("a higher rank counts whoever comes later", () => {
  const { table, told, facts } = listening();
  table.put("here", facts("10.0.0.1", "here"), 2);
  table.put("there", facts("10.0.0.1", "there"), 1);
  table.delete("here");
  assert.deepEqual(told, ["10.0.0.1 here", "10.0.0.1 there"]);
});

test("an owner that moves leaves its old address", () => {
  const { table, told, facts } = listening();
  table.put("a", facts("10.0.0.1 fd00::1", "a"), 1);
  table.put("a", facts("10.0.0.2", "a'"), 1);
  assert.deepEqual(told, ["10.0.0.1 a", "fd00::1 a", "10.0.0.1 gone", "fd00::1 gone", "10.0.0.2 a'"]);
  assert.deepEqual([...table.owners()], ["a"]);
});

test("the same say twice is none", () => {
  const { table, told, facts } = listening();
  const same = facts("10.0.0.1", "a");
  table.put("a", same, 1);
  table.put("a", same, 1);
  assert.deepEqual(told, ["10.0.0.1 a"]);
});

test("whose say counts can be asked", () => {
  const { table, facts } = listening();
  table.put("here", facts("10.0.0.1", "here"), 2);
  table.put("there", facts("10.0.0.1", "there"), 1);
  assert.deepEqual([table.ownerAt(addr("10.0.0.1")), table.ownerAt(addr("10.0.0.2"))], ["here", undefined]);
});
