/** `twill policy matrix`, in a process of its own, over the example's directory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../testing.ts";

const SHOP = fileURLToPath(new URL("../../../examples/shop", import.meta.url));
const PODS = ["monitoring/prometheus", "shop/db", "shop/web"];

test("the whole table of a directory, in the shape of the lab's probe", async () => {
  const words = ["policy", "explain", "--matrix", "--ports", "5432/TCP,9100/TCP", "--json", SHOP];
  const { code, out, err } = await runCli(words);
  assert.deepEqual([code, err], [0, ""]);
  const row = (...cells: string[]) => Object.fromEntries(cells.map((c, i) => [PODS[i], c]));
  assert.deepEqual(JSON.parse(out), {
    "5432/TCP": {
      "monitoring/prometheus": row("ok", "timeout", "timeout"),
      "shop/db": row("ok", "ok", "timeout"),
      "shop/web": row("timeout", "ok", "ok"),
    },
    "9100/TCP": {
      "monitoring/prometheus": row("ok", "ok", "ok"),
      "shop/db": row("ok", "ok", "timeout"),
      "shop/web": row("timeout", "timeout", "ok"),
    },
  });
});

test("for people, with nodes, the outside, and only some ends", async () => {
  const more = [
    "--nodes",
    "--outside",
    "outside=203.0.113.7,2001:db8:7::7",
    "--denied",
    "refused",
    "--to",
    "shop/web,outside",
  ];
  const { code, out } = await runCli(["policy", "matrix", SHOP, "--ports", "8080/TCP", ...more]);
  assert.equal(code, 0);
  assert.equal(
    out,
    `8080/TCP   ✔ ok  ✘ refused  · timeout
from                   shop/web  outside
monitoring/prometheus  ✔         ✔
shop/db                ✔         ✔
shop/web               ✔         ✘
node-1                 ✔         ✔
outside                ✔
`,
  );
});

test("families that disagree are told apart", async () => {
  const policy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: a, name: four }
spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }] }
---
{ apiVersion: v1, kind: Pod, metadata: { namespace: a, name: x }, status: { podIPs: [{ ip: 10.0.0.1 }, { ip: "fd00::1" }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { namespace: b, name: y }, status: { podIPs: [{ ip: 10.0.0.2 }, { ip: "fd00::2" }] } }
`;
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const dir = await mkdtemp("/tmp/twill-matrix-");
  await writeFile(`${dir}/all.yaml`, policy);
  const { out } = await runCli(["policy", "matrix", "--dir", dir, "--json", "--from", "b/y", "--to", "a/x"]);
  await rm(dir, { recursive: true });
  assert.deepEqual(JSON.parse(out), { "80/TCP": { "b/y": { "a/x": "4:ok 6:timeout" } } });
});

test("what makes no sense is refused", async () => {
  const cases: [string[], RegExp][] = [
    [["--to", "nobody"], /"nobody" takes no part in the matrix: monitoring\/prometheus,/],
    [["--denied", "lost"], /"lost" is not what a denied sender sees: timeout or refused/],
    [["--ports", "70000"], /"70000" is not traffic such as/],
    [["--outside", "x=10.244.1.10"], /"x=10\.244\.1\.10" is nobody outside of the cluster/],
  ];
  const all = await Promise.all(cases.map(([words]) => runCli(["policy", "matrix", SHOP, ...words])));
  for (const [i, { code, err }] of all.entries()) {
    assert.equal(code, 2);
    assert.match(err, cases[i]![1]);
  }
});
