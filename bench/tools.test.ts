import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIperf, parseSockperf } from "./tools.ts";

test("sockperf's percentiles are read, and missed when they are not there", () => {
  const text = [
    "sockperf: ====> avg-rtt=14.787 (std-dev=3.169)",
    "sockperf: ---> percentile 99.900 =   31.000",
    "sockperf: ---> percentile 99.000 =   19.869",
    "sockperf: ---> percentile 50.000 =   14.050",
  ].join("\n");
  assert.deepEqual(parseSockperf(text), { p50Us: 14.05, p99Us: 19.869 });
  assert.throws(() => parseSockperf("sockperf: ERROR: cannot connect"), SyntaxError);
});

test("iperf3: the receiver's median interval, without the first and the last", () => {
  const intervals = [1, 10, 30, 20, 99].map((gbit) => ({ sum: { bits_per_second: gbit * 1e9 } }));
  assert.equal(parseIperf(JSON.stringify({ server_output_json: { intervals } })), 20);
  assert.throws(() => parseIperf(JSON.stringify({ error: "unable to connect" })), SyntaxError);
});
