/** `twill policy test`, in a process of its own. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));
const HEAD = "apiVersion: twill.dev/v1alpha1\nkind: PolicyTest\n";
let dir: string;

before(async () => {
  dir = await mkdtemp("/tmp/twill-policy-test-");
});
after(() => rm(dir, { recursive: true }));

async function run(text: string, ...words: string[]) {
  const file = join(dir, "case.yaml");
  await writeFile(file, text);
  return runCli(["policy", "test", file, ...words]);
}

test("the example's claims hold", async () => {
  const { code, out } = await runCli(["policy", "test", SHOP]);
  assert.equal(code, 0, out);
  assert.match(out, /policy-test\.yaml: shop\n {2}✔ the web pods query the database \(1 flow\)\n/);
  assert.match(out, /✔ nobody else reaches the database, not even monitoring \(9 flows\)/);
  assert.match(out, /\n4 passed, 0 failed\n$/);
});

test("what does not hold is told with the rule that decides, and ends with 1", async () => {
  const claims = `${HEAD}
objects: [${SHOP}]
tests:
  - { name: wrong, from: shop/web, to: [shop/db, monitoring/prometheus], port: 5432/TCP, expect: deny }
  - { name: by another, from: shop/web, to: shop/db, port: 5432/TCP, expect: allow, by: NetworkPolicy shop/d }
  - { name: nobody, from: "bank/*", to: shop/db, port: "80", expect: deny }
  - { name: misspelt, from: shop/wbe, to: shop/db, port: "80", expect: deny }
  - { name: itself, from: shop/db, to: shop/db, port: "80", expect: allow }
  - { from: shop/web, to: shop/db, port: ftp/TCP, expect: deny }
`;
  const { code, out } = await run(claims);
  assert.equal(code, 1);
  const text = out.slice(out.indexOf("\n") + 1);
  assert.equal(
    text,
    `  ✘ wrong, expected: deny
      shop/web → shop/db 5432/TCP is allowed: egress NetworkPolicy shop/web spec.egress[0]; ingress NetworkPolicy shop/db spec.ingress[0]
  ✘ by another, expected: allow by NetworkPolicy shop/d
      shop/web → shop/db 5432/TCP is allowed: egress NetworkPolicy shop/web spec.egress[0]; ingress NetworkPolicy shop/db spec.ingress[0]
  ✘ nobody, expected: deny
      No pod is named like "bank/*"
  ✘ misspelt, expected: deny
      There is no pod or node "shop/wbe": did you mean "shop/web"?
  ✘ itself, expected: allow
      It is about no flow at all: both ends are the same
  ✘ test 6, expected: deny
      shop/web → shop/db ftp/TCP is denied: there is no such flow: no family or no port of that name in common
0 passed, 6 failed
`,
  );
  const json = JSON.parse((await run(claims, "--json")).out);
  assert.deepEqual([json.passed, json.failed, json.files[0].results[0].failures[0].found], [0, 6, "allowed"]);
});

test("a claim that is not written as it should be is refused with its place", async () => {
  const { code, out } = await run(`${HEAD}
object: []
tests:
  - { from: a/b, to: [], port: 99999/TCP, expect: maybe }
`);
  assert.equal(code, 1);
  for (const line of [
    /#1: PolicyTest: object: Unknown field "object": did you mean "objects"\?/,
    /tests\[0\]\.to: A value is required/,
    /tests\[0\]\.port: "99999\/TCP" is not traffic such as/,
    /tests\[0\]\.expect: "maybe" is not one of allow, deny/,
    /\n0 passed, 0 failed\n$/,
  ])
    assert.match(out, line);
  assert.match((await run(HEAD)).out, /tests: At least one is required/);
});

test("an object that is refused fails the test: what is said would be of other policies", async () => {
  const { code, out } = await run(`${HEAD}
objects: [${SHOP}]
tests: [{ name: fine, from: shop/web, to: shop/db, port: 5432/TCP, expect: allow }]
with: [{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: x }, spec: { podSelectr: {} } }]
`);
  assert.equal(code, 1);
  assert.match(out, /refused .*\(with\)#1: NetworkPolicy default\/x: spec\.podSelectr: Unknown field/);
  assert.match(out, /✔ fine/);
  const other = await run(`${HEAD}
objects: [${SHOP}]
tests: [{ name: fine, from: shop/web, to: shop/db, port: 5432/TCP, expect: allow }]
with: [{ apiVersion: extensions/v1beta1, kind: NetworkPolicy, metadata: { name: x }, spec: { podSelector: {} } }]
`);
  assert.equal(other.code, 1);
  assert.match(other.out, /refused .*\(with\)#1: NetworkPolicy x: apiVersion: "extensions\/v1beta1" has no kind/);
});

test("files without any claim, and claims over other objects", async () => {
  const none = await run("apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n");
  assert.equal(none.code, 2);
  assert.match(none.err, /There is no PolicyTest in/);
  const claim = `${HEAD}tests: [{ from: shop/web, to: shop/db, port: 5432/TCP, expect: allow }]\n`;
  assert.equal((await run(claim)).code, 1, "its own directory has no such pod");
  assert.equal((await run(claim, "--dir", SHOP)).code, 0);
});
