/**
 * The kernel against the tables that it was given and against the specifications: random clusters of all dialects, each
 * node's tables written into the maps, and the first packet of each flow sent through the program that it would come by.
 * `TWILL_POLICY_KERNEL` says how many clusters, `TWILL_POLICY_SEED` where to begin.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Addr } from "../../src/net/addr.ts";
import { Direction, METRIC_NAMES } from "../../src/net/gen/bpf-maps.ts";
import { isHostKey } from "../../src/policy/host-parts.ts";
import { judgeFlow } from "../../src/policy/judge.ts";
import type { Flow } from "../../src/policy/literal/flow.ts";
import type { Verdict } from "../../src/policy/table.ts";
import { flowsBetween } from "../../src/policy/testing/agree.ts";
import type { CompiledNode } from "../../src/policy/testing/compiled.ts";
import { HOST_TRAFFIC, mixedCluster } from "../../src/policy/testing/mixed.ts";
import { enterEmptyNetns } from "./node.ts";
import { Plane, whyNot } from "./plane.ts";
import { firstPacket, writeNode } from "./policy-cluster.ts";

/** What is told of a flow's first packet, as the ring has it. */
type Told = readonly (readonly [what: string, direction: number, rule: number, isAllowed: boolean])[];

function expectedOf(end: Verdict, direction: number): Told {
  const { staged, logRule, isAllowed, rule } = end;
  return [
    ...(staged === undefined ? [] : [["policy_staged", direction, staged.rule, staged.isAllowed] as const]),
    ...(logRule === 0 ? [] : [["policy_logged", direction, logRule, isAllowed] as const]),
    ...(isAllowed ? [] : [["drop_policy", direction, rule, false] as const]),
  ];
}

/** The flow through the kernel, held against tables and reading. False: no packet of it comes by here. */
function compareFlow(
  plane: Plane,
  node: CompiledNode,
  flow: Flow,
  read: Readonly<Record<string, boolean>>,
  isPod: (a: Addr) => boolean,
): boolean {
  const packet = firstPacket(node, flow, isPod);
  if (packet === undefined) return false;
  const { egress, ingress } = judgeFlow(node.tables, node.partition, node.endpointAt, flow);
  const asked = egress?.isAllowed === false ? { egress } : { egress, ingress };
  const told = [
    ...(asked.egress === undefined ? [] : expectedOf(asked.egress, Direction.egress)),
    ...(asked.ingress === undefined ? [] : expectedOf(asked.ingress, Direction.ingress)),
  ];
  const isAllowed =
    (egress === undefined || read["egress"] === true) && (ingress === undefined || read["ingress"] === true);
  plane.forgetFlows();
  const { verdict } = plane.runQuick(packet.program, packet.frame, packet.options);
  assert.equal(verdict !== "drop", isAllowed, "the specifications");
  const events = plane.events();
  assert.deepEqual(
    events.map((e) => [METRIC_NAMES.get(e.reason), e.direction, e.rule, e.isAllowed === 1]),
    told,
    "the tables, what is told",
  );
  const entry = [...plane.flows(), ...plane.flows("ct_other")][0]?.entry;
  const number = (of: Flow["from"]) => node.partition.identityOf(of).number;
  assert.deepEqual(
    entry && [entry.egressRule, entry.ingressRule, entry.originIdentity, entry.replyIdentity],
    isAllowed
      ? [egress?.rule ?? 0, ingress?.rule ?? 0, (ingress && number(flow.from)) || 0, (egress && number(flow.to)) || 0]
      : undefined,
    "the tables, what the flow remembers",
  );
  return true;
}

interface Compared {
  readonly packets: number;
  readonly denied: number;
  /** Of the node's own. */
  readonly hosts: number;
}

function compare(plane: Plane, seed: number): Compared {
  const { nodes, ends, pods, read } = mixedCluster(seed, true);
  const isPod = (a: Addr) => pods.has(a.text);
  let [packets, denied, hosts] = [0, 0, 0];
  for (const [i, node] of nodes.entries()) {
    writeNode(plane, node, ends, i + 1);
    for (const flow of flowsBetween(ends, HOST_TRAFFIC, seed)) {
      const says = read(flow);
      try {
        if (!compareFlow(plane, node, flow, says, isPod)) continue;
      } catch (cause) {
        const what = `${flow.from.text} → ${flow.to.text} protocol ${flow.protocol} port ${flow.port}`;
        throw new Error(`Seed ${seed}, node ${i}: ${what}: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        });
      }
      packets++;
      if (isHostKey(node.endpointAt(flow.from)) || isHostKey(node.endpointAt(flow.to))) hosts++;
      if (plane.flows().length + plane.flows("ct_other").length === 0) denied++;
    }
  }
  return { packets, denied, hosts };
}

describe("the kernel's verdicts", { skip: whyNot() }, () => {
  let plane: Plane;

  before(() => {
    enterEmptyNetns();
    plane = new Plane();
  });
  after(() => plane.close());

  it("are those of the tables and of the specifications, on random clusters of all dialects", (t) => {
    const first = Number(process.env["TWILL_POLICY_SEED"] ?? 1);
    const count = Number(process.env["TWILL_POLICY_KERNEL"] ?? 12);
    let [packets, denied, hosts] = [0, 0, 0];
    for (let seed = first; seed < first + count; seed++) {
      const of = compare(plane, seed);
      packets += of.packets;
      denied += of.denied;
      hosts += of.hosts;
    }
    t.diagnostic(`seeds ${first} to ${first + count - 1}, ${packets} packets, ${hosts} of nodes, ${denied} denied`);
    assert.ok(
      packets > count * 50 && hosts > count * 20 && denied > 0 && denied < packets,
      `${packets} packets, ${denied} denied`,
    );
  });
});
