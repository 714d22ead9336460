/** The tables of nodes against the specifications, on random clusters of all dialects with host endpoints and host policies. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAgree, flowsBetween } from "./testing/agree.ts";
import { HOST_TRAFFIC, mixedCluster } from "./testing/mixed.ts";

test("tables and specifications agree on what nodes send and get", (t) => {
  const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
  const count = Number(process.env["TWILL_POLICY_MIXED"] ?? 20);
  let [flows, judged, denied] = [0, 0, 0];
  for (let seed = first; seed < first + count; seed++) {
    const { nodes, ends, read } = mixedCluster(seed, true);
    flows += assertAgree(seed, flowsBetween(ends, HOST_TRAFFIC, seed), nodes, read);
    const isOfHost = (a: (typeof ends)[number]) => nodes.some((n) => n.endpointAt(a)?.startsWith("host ") === true);
    for (const flow of flowsBetween(ends, HOST_TRAFFIC, seed)) {
      if (!isOfHost(flow.from) && !isOfHost(flow.to)) continue;
      judged++;
      const says = read(flow);
      if (!says.egress || !says.ingress) denied++;
    }
  }
  t.diagnostic(
    `seeds ${first} to ${first + count - 1}, ${flows} flows, ${judged} of judged nodes, ${denied} of them denied`,
  );
  assert.ok(judged > count * 50 && denied > 0 && denied < judged, `${judged} of nodes, ${denied} denied`);
});
