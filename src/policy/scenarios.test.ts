import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addr } from "../net/addr.ts";
import { DIALECTS } from "./testing/scenarios/all.ts";
import {
  type Cell,
  cells,
  cellText,
  expects,
  NODES,
  PEOPLE,
  PERSONS,
  type Person,
  peopleObjects,
  type Scenario,
} from "./testing/scenarios/model.ts";
import { scenarioWorld, trafficOf } from "./testing/scenarios/world.ts";

const nodeNumber = (name: string) => NODES.indexOf(name as (typeof NODES)[number]) + 1;

/** The lab's plan of addresses. */
function addressesOf(name: string): readonly [string, string] {
  if (name === "outside") return ["198.51.100.10", "2001:db8:51::10"];
  if (!name.includes("/")) return [`192.168.77.1${nodeNumber(name)}`, `fd00:77::1${nodeNumber(name)}`];
  const n = nodeNumber(PEOPLE[name as Person].node);
  const host = 10 + PERSONS.indexOf(name as Person);
  return [`10.244.${n}.${host}`, `fd00:10:244:${n}::${host}`];
}

/** Names by which a node is met: its own address, and its router's. */
function fromAddresses(name: string): readonly (readonly [string, string])[] {
  if (!nodeNumber(name)) return [addressesOf(name)];
  return [addressesOf(name), [`10.244.${nodeNumber(name)}.1`, `fd00:10:244:${nodeNumber(name)}::1`]];
}

const nodes = NODES.map((name) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  spec: { podCIDRs: [`10.244.${nodeNumber(name)}.0/24`, `fd00:10:244:${nodeNumber(name)}::/64`] },
  status: { addresses: addressesOf(name).map((address) => ({ type: "InternalIP", address })) },
}));

function objectsOf(scenario: Scenario): object[] {
  const { namespaces, pods } = peopleObjects();
  const running = pods.map((p) => {
    const { namespace, name } = (p as { metadata: { namespace: string; name: string } }).metadata;
    const podIPs = addressesOf(`${namespace}/${name}`).map((ip) => ({ ip }));
    return { ...p, status: { phase: "Running", podIPs } };
  });
  return [...nodes, ...namespaces, ...running, ...scenario.objects(addressesOf)];
}

for (const dialect of DIALECTS)
  describe(`scenarios: ${dialect.name}`, () => {
    for (const scenario of dialect.scenarios)
      it(scenario.name, () => {
        const ask = scenarioWorld(objectsOf(scenario));
        const wrong: string[] = [];
        const look = (cell: Cell) => {
          const i = cell.family === 4 ? 0 : 1;
          for (const from of fromAddresses(cell.from)) {
            const flow = {
              from: addr(from[i]),
              to: addr(addressesOf(cell.to)[i]),
              ...trafficOf(cell.traffic, cell.family),
            };
            const said = { lines: expects(scenario, cell), ...ask(flow) };
            if (new Set(Object.values(said)).size > 1)
              wrong.push(`${cellText(cell)} by ${from[i]}: ${JSON.stringify(said)}`);
          }
        };
        cells().forEach(look);
        assert.deepEqual(wrong, []);
      });
  });
