/**
 * Scenarios of every dialect, and of all of them in one cluster, as matrices of real pods on two nodes, in both families:
 * each cell as the tables say that were written by hand, and as the specifications say of the very objects in the API.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObject, NewObject } from "../../src/cluster/embedded/types.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { addr } from "../../src/net/addr.ts";
import { DIALECTS } from "../../src/policy/testing/scenarios/all.ts";
import {
  type Cell,
  cells,
  cellText,
  expects,
  NODES,
  OUTSIDE,
  PERSONS,
  peopleObjects,
  type Scenario,
} from "../../src/policy/testing/scenarios/model.ts";
import { scenarioWorld, trafficOf } from "../../src/policy/testing/scenarios/world.ts";
import { policyDefinitions, policyKinds } from "../fixture/policy-kinds.ts";
import { SCENARIO_PORTS, scenarioWrongCells } from "../fixture/policy-tables.ts";

const READY_MS = 120_000;
/** Until a change of policies shows in the packets of all pods. */
const CONVERGED_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped. */
const PROBE_MS = 250;

const POLICY_KINDS = policyKinds();
describe("policies of every dialect, between real pods", () => {
  let lab: Lab;

  before(async () => {
    lab = await startLab({ name: "test-policy-dialects", nodes: 2, objects: policyDefinitions() });
    await lab.ready(READY_MS);
    const { namespaces, pods } = peopleObjects() as { namespaces: NewObject[]; pods: NewObject[] };
    for (const n of namespaces) lab.objects.create(n);
    for (const pod of pods) {
      const spec = pod["spec"] as { containers: object[] };
      const containers = spec.containers.map((c) => ({ ...c, image: ECHO_IMAGE }));
      lab.objects.create({ ...pod, spec: { ...spec, containers } });
    }
    const own = (list: readonly KubeObject[]) =>
      list.filter((p) => PERSONS.some((name) => name === `${p.metadata.namespace}/${p.metadata.name}`));
    await lab.until(
      { apiVersion: "v1", kind: "Pod" },
      (l) => own(l).length === PERSONS.length && own(l).every(isPodReady),
      READY_MS,
      "the pods",
    );
  });
  after(() => lab?.[Symbol.asyncDispose]());

  function addressesOf(name: string): readonly [string, string] {
    const [v4 = "", v6 = ""] = lab.endpoints().find((e) => e.name === name)?.addresses ?? [];
    return [v4, v6];
  }

  function clear(): void {
    for (const kind of POLICY_KINDS)
      for (const { metadata } of lab.objects.list(kind)) {
        const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
        lab.objects.delete({ ...kind, ...namespace, name: metadata.name });
      }
  }

  /** What the API has now, read as the specifications say. */
  function reading(): (cell: Cell) => boolean {
    const kinds = [...["Namespace", "Node", "Pod"].map((kind) => ({ apiVersion: "v1", kind })), ...POLICY_KINDS];
    const ask = scenarioWorld(kinds.flatMap((kind) => lab.objects.list(kind)));
    return ({ from, to, traffic, family }) => {
      const i = family === 4 ? 0 : 1;
      const ends = { from: addr(addressesOf(from)[i]), to: addr(addressesOf(to)[i]) };
      return ask({ ...ends, ...trafficOf(traffic, family) }).specification;
    };
  }

  async function wrongCells(scenario: Scenario): Promise<readonly string[]> {
    const ends = [...PERSONS, ...NODES, OUTSIDE];
    const from = ends.filter((e) => e !== OUTSIDE);
    return scenarioWrongCells(
      scenario,
      await lab.probe({ ports: SCENARIO_PORTS, from, to: ends, timeoutMs: PROBE_MS }),
    );
  }

  for (const dialect of DIALECTS)
    for (const scenario of dialect.scenarios)
      test(`${dialect.name}: ${scenario.name}`, async () => {
        clear();
        for (const object of scenario.objects(addressesOf)) lab.objects.create(object as NewObject);
        const says = reading();
        const disagree = cells().filter((cell) => says(cell) !== expects(scenario, cell));
        assert.deepEqual(disagree.map(cellText), [], "specifications and the table written by hand");
        const end = Date.now() + CONVERGED_MS;
        for (;;) {
          const isLast = Date.now() > end;
          const wrong = await wrongCells(scenario);
          if (wrong.length === 0) return;
          if (isLast) assert.deepEqual(wrong, []);
        }
      });
});
