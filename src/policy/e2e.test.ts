import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addr } from "../net/addr.ts";
import { createCompiler } from "./compile.ts";
import { PORT_PROTOCOL_NUMBERS } from "./facts.ts";
import { decide } from "./literal/decide.ts";
import { createPartition } from "./partition.ts";
import { compileNode, judgeAcross } from "./testing/compiled.ts";
import { E2E_CASES } from "./testing/e2e-cases.ts";
import { E2E_ALL, type E2eStep, e2eAddresses, e2eObjects, expects, type Probe } from "./testing/e2e-model.ts";
import { parseCluster } from "./testing/parse.ts";

const NODE = {
  metadata: { name: "node-1" },
  spec: { podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"] },
  status: { addresses: [{ type: "InternalIP", address: "192.168.77.11" }] },
};
const NONE = { clusterPolicies: [], adminPolicies: [], baselinePolicies: [] };

type Reaches = (from: string, to: string, protocol: number, port: number) => boolean;

/** `from → to` of every cell that is not as the probe expects it. */
function wrongCells(probe: Probe, family: 0 | 1, reaches: Reaches): string[] {
  const protocol = PORT_PROTOCOL_NUMBERS[probe.protocol];
  return E2E_ALL.flatMap((from) =>
    E2E_ALL.flatMap((to) => {
      const expected = expects(probe, from, to);
      if (expected === undefined) return [];
      const found = reaches(e2eAddresses(from)[family], e2eAddresses(to)[family], protocol, probe.port);
      return found === expected ? [] : [`${from} → ${to} is ${found}`];
    }),
  );
}

function judges(step: E2eStep, compiler = createCompiler(), partition = createPartition()): [string, Reaches][] {
  const cluster = parseCluster({ ...e2eObjects(step), ...NONE, nodes: [NODE] });
  const node = compileNode(cluster, "node-1", { compiler, partition });
  return [
    [
      "specification",
      (from, to, protocol, port) => {
        const d = decide(cluster, { from: addr(from), to: addr(to), protocol, port });
        return d.egress && d.ingress;
      },
    ],
    [
      "tables",
      (from, to, protocol, port) => {
        const v = judgeAcross([node], { from: addr(from), to: addr(to), protocol, port });
        return v.egress?.isAllowed === true && v.ingress?.isAllowed === true;
      },
    ],
  ];
}

describe("Kubernetes' own cases of NetworkPolicy, both families", () => {
  for (const c of E2E_CASES)
    it(`${c.number} ${c.name}`, () => {
      // One compiler and one partition for all steps: what changes is followed, not computed anew.
      const compiler = createCompiler();
      const partition = createPartition();
      for (const [i, step] of c.steps.entries())
        for (const [who, reaches] of judges(step, compiler, partition))
          for (const probe of step.probes)
            for (const family of [0, 1] as const)
              assert.deepEqual(
                wrongCells(probe, family, reaches),
                [],
                `step ${i + 1}, ${who}, ${probe.protocol} ${probe.port}, family ${family === 0 ? 4 : 6}`,
              );
    });

  it("are 48, each with something that is not reachable somewhere or nothing that is closed on purpose", () => {
    assert.deepEqual(
      E2E_CASES.map((c) => c.number),
      Array.from({ length: 48 }, (_, i) => i + 1),
    );
    const open = E2E_CASES.filter((c) => c.steps.every((s) => s.probes.every((p) => p.expected.length === 0)));
    assert.deepEqual(
      open.map((c) => c.number),
      [5, 16],
    );
  });
});
