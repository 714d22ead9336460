import assert from "node:assert/strict";
import { test } from "node:test";
import { combine, parsePorts } from "./matrix.ts";

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
