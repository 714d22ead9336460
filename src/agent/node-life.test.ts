/** What becomes of an agent's work when nodes are made anew, renamed, re-addressed and removed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../model/endpoint.ts";
import { addr } from "../net/addr.ts";
import { prefix } from "../net/prefix.ts";
import { strayIssues } from "./endpoint-words.ts";

const endpoint = (id: number, ...addrs: readonly string[]) =>
  ({ id, addrs: addrs.map(addr), podNamespace: "default", podName: `p${id}` }) as unknown as Endpoint;

test("pods with addresses of CIDRs that the node no longer has are told", () => {
  const all = [
    endpoint(1, "10.1.0.2", "fd01::2"),
    endpoint(2, "10.2.0.2", "fd01::3"),
    endpoint(3, "10.2.0.3", "fd02::3"),
  ];
  const messages = (cidrs: readonly string[]) =>
    strayIssues(all, cidrs.map(prefix)).map((i) => `${i.path}: ${i.message}`);
  assert.deepEqual(messages([]), [], "a node whose CIDRs are not known has no strays");
  assert.deepEqual(messages(["10.2.0.0/24", "fd01::/64", "fd02::/64"]), [
    'endpoints.1: Address "10.1.0.2" of pod "default/p1" is in none of this node\'s pod CIDRs any more, so that other nodes do not reach it: delete the pod',
  ]);
  assert.equal(messages(["10.2.0.0/24", "fd01::/64"]).length, 2, "one of two addresses is enough");
});

test("many are counted", () => {
  const all = Array.from({ length: 25 }, (_, i) => endpoint(i, `10.1.0.${i + 2}`));
  const issues = strayIssues(all, [prefix("10.2.0.0/24")]);
  assert.equal(issues.length, 11);
  assert.equal(issues.at(-1)?.message, "and 15 more pods with such addresses");
});
