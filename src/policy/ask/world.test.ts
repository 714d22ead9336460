/**
 * What a world says of flows, and how it explains them, held against the literal readings of the specifications and against
 * compiled tables, for random clusters of all dialects. `TWILL_POLICY_ASKED` says how many clusters, `TWILL_POLICY_SEED` where to begin.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../../net/addr.ts";
import { flowsBetween } from "../testing/agree.ts";
import { judgeAcross } from "../testing/compiled.ts";
import { MIXED_TRAFFIC, mixedCluster } from "../testing/mixed.ts";
import { findEnd } from "./ends.ts";
import { explainFlow, type FlowExplanation } from "./explain-flow.ts";
import { judgesOf } from "./flow.ts";
import type { AskedTraffic } from "./traffic-text.ts";
import type { World } from "./world.ts";

type Flow = Parameters<ReturnType<typeof mixedCluster>["read"]>[0];

function asked({ protocol, port }: Flow): AskedTraffic {
  if (protocol === 1 || protocol === 58) return { kind: "icmp", type: port >> 8, code: port & 0xff };
  return port === 0 ? { kind: "protocol", protocol } : { kind: "port", protocol, port };
}

function explain(world: World, flow: Flow): FlowExplanation {
  const [from, to] = [findEnd(world, flow.from.text), findEnd(world, flow.to.text)];
  assert.ok(from.ok && to.ok);
  const explained = explainFlow(world, from.value, to.value, asked(flow));
  assert.ok(explained.ok);
  return explained.value;
}

/** Whether the steps tell of the verdict that they lead to: one decides, or none does where nobody speaks. */
function isWholeStory(flow: FlowExplanation): boolean {
  return [flow.families[0]?.egress, flow.families[0]?.ingress].every((side) => {
    const e = side?.explanation;
    if (e === undefined) return true;
    const deciding = e.steps.filter((s) => s.result === "decides");
    if (e.because.endsWith("no policy speaks about it")) return deciding.length === 0 && e.isAllowed;
    return deciding.length === 1 && (deciding[0]?.action === "allow") === e.isAllowed;
  });
}

test("a world, its explanations, the specifications and the tables agree on random clusters of all dialects", (t) => {
  const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
  const count = Number(process.env["TWILL_POLICY_ASKED"] ?? 40);
  let flows = 0;
  let denied = 0;
  for (let seed = first; seed < first + count; seed++) {
    const { nodes, world, ends, read } = mixedCluster(seed);
    for (const flow of flowsBetween(ends, MIXED_TRAFFIC, seed)) {
      // The other family's ICMP is a protocol like any other, and nothing to ask for as ICMP.
      if ((flow.protocol === 1 && flow.from.family === 6) || (flow.protocol === 58 && flow.from.family === 4)) continue;
      const said = read(flow);
      const [from, to] = [world.endAt(flow.from), world.endAt(flow.to)];
      const { sender, receiver } = judgesOf(world, from, to);
      const egress = sender === undefined || world.judge(sender, "egress", flow.to, flow).isAllowed;
      const ingress = receiver === undefined || world.judge(receiver, "ingress", flow.from, flow).isAllowed;
      const text = `seed ${seed} ${flow.from.text} → ${flow.to.text} ${flow.protocol}/${flow.port}`;
      assert.deepEqual({ text, egress, ingress }, { text, egress: said.egress, ingress: said.ingress });
      const tables = judgeAcross(nodes, flow);
      assert.deepEqual([tables.egress?.isAllowed ?? true, tables.ingress?.isAllowed ?? true], [egress, ingress], text);
      const explained = explain(world, flow);
      if (!explained.isInside) {
        assert.equal(explained.isAllowed, egress && ingress, text);
        assert.ok(isWholeStory(explained), text);
      }
      flows++;
      if (!egress || !ingress) denied++;
    }
  }
  t.diagnostic(`seeds ${first} to ${first + count - 1}, ${flows} flows, ${denied} denied`);
  assert.ok(flows > 100 * count && denied > flows / 20 && denied < flows, `${flows} flows, ${denied} of them denied`);
});

test("who has an address, and what each node knows of it", () => {
  const { world } = mixedCluster(3);
  const [first] = world.pods.values();
  assert.ok(first?.addrs[0]);
  assert.equal(world.endAt(first.addrs[0]), first);
  assert.equal(world.endAt(addr("203.0.113.7")).kind, "outside");
  const [node] = world.nodes;
  const ip = node?.internalIps[0];
  assert.ok(node && ip);
  assert.equal(world.endAt(ip).name, node.name);
  assert.deepEqual([...world.peer(ip, node.name).entities], ["host"]);
  assert.deepEqual([...world.peer(ip, "another").entities], ["remote-node"]);
});
