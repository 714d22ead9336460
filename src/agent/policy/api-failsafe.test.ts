import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_FAILSAFES } from "../../policy/failsafe.ts";
import { withApi } from "./api-failsafe.ts";

const added = (description: string, kind: "kube" | "dir" = "kube") =>
  withApi(DEFAULT_FAILSAFES, kind === "kube" ? { kind } : { kind, path: "/x" }, { description })
    .egress.slice(DEFAULT_FAILSAFES.egress.length)
    .map((p) => `${p.protocol} ${p.port} ${p.nets.map((n) => n.text).join(" ")}`);

test("the API's own address and port are a failsafe port", () => {
  assert.deepEqual(added("https://192.0.2.7:16443"), ["6 16443 192.0.2.7/32"]);
  assert.deepEqual(added("https://192.0.2.7"), ["6 443 192.0.2.7/32"]);
  assert.deepEqual(added("https://[2001:db8::7]:6443/"), ["6 6443 2001:db8::7/128"]);
});

test("a name has no address, and a directory no API", () => {
  assert.deepEqual(added("https://api.example:6443"), []);
  assert.deepEqual(added("test"), []);
  assert.deepEqual(added("https://192.0.2.7", "dir"), []);
});
