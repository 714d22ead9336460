/**
 * Part of policy.test.ts: Kubernetes' own cases of NetworkPolicy, and scenarios of every dialect, between real pods of the
 * real cluster. What is written in tables is the same as in test/policy, where the lab's pods are asked.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type Endpoint, probeMatrix } from "../../src/lab/probe/matrix.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { E2E_CASES } from "../../src/policy/testing/e2e-cases.ts";
import { E2E_ALL, E2E_NAMESPACES, type E2eStep, e2eObjects } from "../../src/policy/testing/e2e-model.ts";
import { DIALECTS } from "../../src/policy/testing/scenarios/all.ts";
import {
  type Cell,
  NODES,
  OUTSIDE,
  PEOPLE,
  PERSONS,
  type Scenario,
  TEAMS,
} from "../../src/policy/testing/scenarios/model.ts";
import { policyKinds } from "../fixture/policy-kinds.ts";
import { e2ePolicies, e2ePorts, e2eWrongCells, SCENARIO_PORTS, scenarioWrongCells } from "../fixture/policy-tables.ts";
import { nodeEnds, outsideEnd, type PodEnd } from "./kube/objects.ts";
import { echoPod, makeNamespace, SLOW_MS, type Stage, untilPodsReady } from "./kube/stage.ts";

/** Until a change of policies shows in the packets of all pods. */
const CONVERGED_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped. */
const PROBE_MS = 250;
const isThorough = process.env["TWILL_CLUSTER_THOROUGH"] !== undefined;
const POLICY_KINDS = policyKinds();
const NETWORK_POLICY = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };
const PORTS = [80, 81].flatMap((containerPort) =>
  ["TCP", "UDP"].map((protocol) => ({
    name: `serve-${containerPort}-${protocol.toLowerCase()}`,
    containerPort,
    protocol,
  })),
);

type Meta = { readonly namespace?: string; readonly name: string; readonly labels: Readonly<Record<string, string>> };
const metaOf = (object: object) => (object as { readonly metadata: Meta }).metadata;
const isIpv6 = (address: string) => address.includes(":");

/** The addresses of whoever is named, IPv4 first. */
function addressesAmong(ends: readonly Endpoint[]): (name: string) => readonly [string, string] {
  return (name) => {
    const own = ends.find((e) => e.name === name)?.addresses ?? [];
    return [own.find((a) => !isIpv6(a)) ?? "", own.find(isIpv6) ?? ""];
  };
}

const podEndpoint = (end: PodEnd): Endpoint => ({ ...end, kind: "pod", hasEcho: true });

/** Asks until nothing is wrong. */
async function untilRight(ask: () => Promise<readonly string[]>, what: string): Promise<void> {
  const end = Date.now() + CONVERGED_MS;
  for (;;) {
    const isLast = Date.now() > end;
    const wrong = await ask();
    if (wrong.length === 0) return;
    if (isLast) assert.deepEqual(wrong, [], what);
  }
}

/** All 48 cases: 9 pods of 3 namespaces on 3 nodes, each with each. */
export function kubernetesCases(stage: () => Stage): void {
  describe("Kubernetes' own cases of NetworkPolicy", () => {
    let ends: readonly Endpoint[];

    before(async () => {
      const { cluster, api } = stage();
      const { namespaces, pods } = e2eObjects({ policies: [], probes: [] });
      for (const { name, labels } of namespaces.map(metaOf)) await makeNamespace(stage(), name, labels);
      const nodes = cluster.nodes.map((n) => n.name);
      for (const [i, { namespace = "", name, labels }] of pods.map(metaOf).entries())
        await api.apply(echoPod({ namespace, name, labels, node: nodes[i % nodes.length] ?? "", ports: PORTS }));
      ends = (await untilPodsReady(stage(), E2E_ALL)).map(podEndpoint);
    });

    async function apply(step: E2eStep): Promise<void> {
      const { api } = stage();
      const { namespaces, pods } = e2eObjects(step);
      await api.clear([NETWORK_POLICY]);
      const relabeled = [
        ...namespaces.map((n) => ({ apiVersion: "v1", kind: "Namespace", metadata: metaOf(n) })),
        ...pods.map((p) => ({ apiVersion: "v1", kind: "Pod", metadata: metaOf(p) })),
      ];
      await Promise.all(relabeled.map((o) => api.relabel(o)));
      await Promise.all(e2ePolicies(step, addressesAmong(ends)).map((p) => api.create(p)));
    }

    for (const c of E2E_CASES) {
      const isSctp = c.steps.every((s) => s.probes.every((p) => p.protocol === "SCTP"));
      const needsEndPort = JSON.stringify(c.steps).includes('"endPort"');
      const skip =
        (isSctp && "the kernel has no SCTP: judged by the tables in src/policy/e2e.test.ts") ||
        (needsEndPort && "Kubernetes 1.20 knows no endPort: judged in test/policy/e2e.test.ts");
      test(`${c.number} ${c.name}`, { skip }, async () => {
        using responder = new Responder();
        for (const [i, step] of c.steps.entries()) {
          await apply(step);
          const asked = { ports: e2ePorts(step.probes), from: E2E_ALL, to: E2E_ALL, timeoutMs: PROBE_MS };
          const ask = async () => e2eWrongCells(step.probes, await probeMatrix(ends, responder, asked));
          await untilRight(ask, `step ${i + 1}`);
        }
      });
    }

    test("they are cleared away", async () => {
      const { api } = stage();
      await api.clear([NETWORK_POLICY]);
      for (const name of E2E_NAMESPACES) await api.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    });
  });
}

/**
 * One scenario of each dialect, or with `TWILL_CLUSTER_THOROUGH` all of them, between the people of the tables, the first two nodes,
 * and the outside. The lab's pods are asked about all of them in any case.
 */
export function dialectScenarios(stage: () => Stage): void {
  describe("policies of every dialect", () => {
    let ends: readonly Endpoint[];

    before(async () => {
      const { cluster, api } = stage();
      const accounts: Readonly<Record<string, readonly string[]>> = { ops: [PEOPLE["ops/admin"].account] };
      for (const [name, team] of Object.entries(TEAMS))
        await makeNamespace(stage(), name, { team, "kubernetes.io/metadata.name": name }, accounts[name]);
      for (const person of PERSONS) {
        const [namespace = "", name = ""] = person.split("/");
        const { node, app, account } = PEOPLE[person];
        await api.apply(echoPod({ namespace, name, node, labels: { app }, ports: PORTS, account }));
      }
      const pods = (await untilPodsReady(stage(), PERSONS)).map(podEndpoint);
      const nodes = (await nodeEnds(cluster)).filter((n) => (NODES as readonly string[]).includes(n.name));
      ends = [
        ...pods,
        ...nodes.map((n): Endpoint => ({ ...n, kind: "node", hasEcho: true })),
        { ...outsideEnd(cluster), kind: "outside", hasEcho: true },
      ];
    });

    /** A node whose IPv6 address the API does not have is nobody to policies. */
    function isAsked({ from, to, family }: Cell): boolean {
      return [from, to].every((name) => addressesAmong(ends)(name)[family === 4 ? 0 : 1] !== "");
    }

    /** For rules: a node has both of its addresses, whatever the API says of them. */
    function addressesOf(name: string): readonly [string, string] {
      const node = stage().cluster.topology.nodes.find((n) => n.name === name);
      return node === undefined ? addressesAmong(ends)(name) : [node.v4, node.v6];
    }

    async function check(scenario: Scenario): Promise<void> {
      const { api } = stage();
      await api.clear(POLICY_KINDS);
      for (const object of scenario.objects(addressesOf)) await api.create(object as Parameters<typeof api.create>[0]);
      using responder = new Responder();
      const names = ends.map((e) => e.name);
      const asked = {
        ports: SCENARIO_PORTS,
        from: names.filter((n) => n !== OUTSIDE),
        to: names,
        timeoutMs: PROBE_MS,
      };
      const ask = async () => scenarioWrongCells(scenario, await probeMatrix(ends, responder, asked), isAsked);
      await untilRight(ask, scenario.name);
    }

    for (const { name, scenarios } of DIALECTS)
      for (const scenario of isThorough ? scenarios : scenarios.slice(0, 1)) {
        const needsEndPort = JSON.stringify(scenario.objects(() => ["192.0.2.1", "2001:db8::1"])).includes('"endPort"');
        const skip = needsEndPort && "Kubernetes 1.20 knows no endPort: judged in test/policy/dialects.test.ts";
        test(`${name}: ${scenario.name}`, { skip, timeout: SLOW_MS }, () => check(scenario));
      }

    test("they are cleared away", async () => {
      const { api } = stage();
      await api.clear(POLICY_KINDS);
      for (const name of Object.keys(TEAMS))
        await api.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    });
  });
}
