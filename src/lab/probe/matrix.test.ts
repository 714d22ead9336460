import assert from "node:assert/strict";
import { test } from "node:test";
import { combine, formatMatrix, parsePorts } from "./matrix.ts";

test("parsePorts() reads ports of every protocol that can be probed", () => {
  const r = parsePorts("80, 81/udp,ICMP");
  assert.deepEqual(r.ok && r.value, [
    { protocol: "TCP", port: 80 },
    { protocol: "UDP", port: 81 },
    { protocol: "ICMP", port: 0 },
  ]);
  for (const bad of ["", "0/TCP", "65536", "80/XYZ", "x"]) assert.equal(parsePorts(bad).ok, false, bad);
  assert.match(JSON.stringify(parsePorts("9/SCTP")), /SCTP cannot be probed/);
});

test("a cell whose families disagree never equals a verdict", () => {
  assert.equal(
    combine([
      { family: 4, verdict: "ok" },
      { family: 6, verdict: "ok" },
    ]),
    "ok",
  );
  assert.equal(
    combine([
      { family: 4, verdict: "ok" },
      { family: 6, verdict: "timeout" },
    ]),
    "4:ok 6:timeout",
  );
});

test("formatMatrix() draws one row for each sender", () => {
  const text = formatMatrix({
    "80/TCP": { "ns/a": { "ns/a": "ok", outside: "timeout" }, outside: { "ns/a": "refused", outside: "ok" } },
  });
  assert.equal(text, "80/TCP   ✔ ok  ✘ refused  · timeout\nfrom     ns/a  outside\nns/a     ✔     ·\noutside  ✘     ✔");
});
