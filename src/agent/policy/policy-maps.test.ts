import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import type { TableWrite } from "../../policy/change.ts";
import { PolicyMaps } from "./policy-maps.ts";

const endpoint = (key: string): TableWrite => ({ table: "endpoints", key, classes: { ingress: 1, egress: 2 } });

test("endpoints that follow each other get their classes at once, behind what these point at and before what is cleaned up", () => {
  const kernel = createFakeKernel();
  kernel.loadPrograms(new Uint8Array(), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const said: string[] = [];
  const rowsOf = (map: string) => kernel.mapRows(map).length;
  const maps = new PolicyMaps(kernel, 1);
  const writes: TableWrite[] = [
    { table: "peers", class: 1, identity: 300, set: 7 },
    { table: "classes", class: 1, row: { set4: 7, set6: 7 } },
    endpoint("1"),
    endpoint("2"),
    { table: "classes", class: 1, row: undefined },
    { table: "peers", class: 1, identity: 300, set: undefined },
    endpoint("3"),
  ];
  maps.write(writes, (of) => {
    const keys = of.map((w) => w.key).join(" ");
    said.push(`${keys}: ${rowsOf("policy_classes")} classes, ${rowsOf("policy_peers")} peers`);
  });
  assert.deepEqual(said, ["1 2: 1 classes, 1 peers", "3: 0 classes, 0 peers"]);
});
