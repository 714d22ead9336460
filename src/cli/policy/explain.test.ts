/** `twill policy explain`, in a process of its own, over the example's directory. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));

const explain = (from: string, to: string, port: string, ...more: string[]) =>
  runCli(["policy", "explain", "--dir", SHOP, "--from", from, "--to", to, "--port", port, ...more]);

test("an allowed flow: verdict, deciding rule of each side, tiers walked, what would change it", async () => {
  const { code, out, err } = await explain("shop/web", "shop/db", "postgres/TCP");
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(
    out,
    `shop/web → shop/db  postgres/TCP
IPv4  10.244.1.10 → 10.244.1.11  ALLOWED
IPv6  fd00:10:244:1::10 → fd00:10:244:1::11  ALLOWED
  egress of shop/web: ALLOWED, NetworkPolicy shop/web spec.egress[0]
    tier default
    → NetworkPolicy shop/web spec.egress[0]: allow, decides
      NetworkPolicy shop/web spec.egress[1]: allow, not reached
      end of tier default: deny, not reached
    To change it: A rule before it that denies; without spec.egress[0] of NetworkPolicy shop/web it would be denied by end of tier default
  ingress of shop/db: ALLOWED, NetworkPolicy shop/db spec.ingress[0]
    tier admin
      ClusterNetworkPolicy monitoring spec.ingress[0] "metrics": allow, about others
    tier default
      NetworkPolicy shop/db spec.ingress "from the pod's own node": allow, about others
    → NetworkPolicy shop/db spec.ingress[0]: allow, decides
      end of tier default: deny, not reached
    To change it: A rule before it that denies; without spec.ingress[0] of NetworkPolicy shop/db it would be denied by end of tier default
`,
  );
});

test("a denied flow names what comes near to allowing it, as the documentation shows", async () => {
  const { code, out } = await explain("10.244.1.20", "shop/db", "5432");
  assert.equal(code, 0);
  assert.match(
    out,
    /^monitoring\/prometheus → shop\/db {2}5432\/TCP\nIPv4 {2}10\.244\.1\.20 → 10\.244\.1\.11 {2}DENIED\n/,
  );
  assert.doesNotMatch(out, /IPv6/, "an address has one family");
  assert.ok(readFileSync(new URL("../../../docs/policy.md", import.meta.url), "utf8").includes(out), out);
  assert.match(out, /egress of monitoring\/prometheus: ALLOWED, no policy speaks about it/);
  assert.match(out, /→ end of tier default: deny, decides/);
  assert.match(out, /spec\.ingress\[0\] of ClusterNetworkPolicy monitoring allows this source, but other traffic\n/);
  assert.match(out, /spec\.ingress\[0\] of NetworkPolicy shop\/db allows this traffic, but not this source\n/);
});

test("--json tells the same to programs", async () => {
  const { out } = await explain("shop/web", "203.0.113.7", "ICMP", "--json");
  const { verdict, traffic, to, families, refused } = JSON.parse(out);
  assert.deepEqual([verdict, traffic, to.kind, refused], ["denied", "ICMP", "outside", []]);
  assert.equal(families.length, 1);
  assert.equal(families[0].ingress, null, "nobody judges there");
  assert.equal(families[0].egress.because, "egress end of tier default");
  assert.equal(families[0].egress.steps.at(-1).result, "decides");
});

test("a node reaches its own pods, whatever policies say", async () => {
  const { out } = await explain("node-1", "shop/db", "1/TCP");
  assert.match(out, /ALLOWED, NetworkPolicy shop\/db spec\.ingress "from the pod's own node"/);
});

test("a pod and itself", async () => {
  const { out } = await explain("shop/db", "shop/db", "1/TCP");
  assert.match(out, /Both ends are the same: no packet leaves it, so nothing is judged/);
});

test("what cannot be asked is said so, with what could be", async () => {
  const cases: [string[], RegExp][] = [
    [["shop/wbe", "shop/db", "80"], /There is no pod or node "shop\/wbe": did you mean "shop\/web"\?/],
    [
      ["shop/web", "nowhere", "80"],
      /There is no pod or node "nowhere", and it is no address: there are monitoring\/prometheus,/,
    ],
    [["shop/web", "shop/db", "80/TPC"], /"80\/TPC" is not traffic such as 80\/TCP, 53\/UDP/],
    [["shop/web", "shop/db", "grpc/TCP"], /"shop\/db" has no port that grpc\/TCP names: it declares postgres/],
    [["10.244.1.10", "fd00:10:244:1::11", "80"], /There is no flow .*: one has IPv4, the other IPv6/],
  ];
  const outcomes = await Promise.all(cases.map(([[from = "", to = "", port = ""]]) => explain(from, to, port)));
  for (const [i, { code, err, out }] of outcomes.entries()) {
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, cases[i]![1]);
  }
});

test("a directory that is not there", async () => {
  const { code, err } = await runCli([
    "policy",
    "explain",
    "--dir",
    "/proc/none/here",
    "--from",
    "a",
    "--to",
    "b",
    "--port",
    "80",
  ]);
  assert.equal(code, 1);
  assert.match(err, /Cannot read objects from "\/proc\/none\/here": ENOENT/);
});

test("the agents' policy.mode", async () => {
  const always = await explain("monitoring/prometheus", "203.0.113.7", "80", "--mode", "always");
  assert.match(always.out, /egress of monitoring\/prometheus: DENIED, end of tier last/);
  const never = await explain("monitoring/prometheus", "shop/db", "80", "--mode", "never");
  assert.match(never.out, /IPv4 .* ALLOWED/);
  const odd = await explain("shop/web", "shop/db", "80", "--mode", "maybe");
  assert.match(odd.err, /"maybe" is not a policy\.mode: default, always or never/);
});
