import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSource } from "../../cluster/fake-source.ts";
import type { ClusterTable, TableState } from "../../cluster/source.ts";
import { knownTables } from "./known-tables.ts";

test("what policies ask for is waited for until it is answered, and unknown where it is forbidden", () => {
  const source = new FakeSource();
  const states = new Map<ClusterTable, TableState>();
  const wanted: ClusterTable[] = [];
  const at = {
    snapshot: () => source.snapshot(),
    stateOf: (table: ClusterTable) => states.get(table) ?? "waiting",
    want: (tables: Iterable<ClusterTable>) => void wanted.push(...tables),
  };
  const look = (...wants: ("endpointSlices" | "services")[]) => knownTables(at, () => new Set(wants));
  assert.deepEqual(look().waitingFor, []);
  assert.equal(look().tables.endpointSlices, undefined);
  assert.deepEqual(look("endpointSlices").waitingFor, ["endpointSlices"]);
  assert.deepEqual(wanted, ["endpointSlices"]);
  states.set("endpointSlices", "forbidden");
  assert.deepEqual(look("endpointSlices").waitingFor, []);
  assert.equal(look("endpointSlices").tables.endpointSlices, undefined);
  for (const state of ["known", "absent"] as const) {
    states.set("endpointSlices", state);
    assert.equal(look("endpointSlices").tables.endpointSlices, source.snapshot().tables.endpointSlices);
  }
  assert.deepEqual(look("services", "endpointSlices").waitingFor, ["services"]);
});
