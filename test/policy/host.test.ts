/**
 * Policy of nodes between real nodes, pods and an outside host: host endpoints, host policies, failsafe ports, connections
 * older than the policy, and everything as before when it is gone.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { NewObject } from "../../src/cluster/embedded/types.ts";
import { loadAddon } from "../../src/kernel/linux/addon.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { type ProbePort, portKey } from "../../src/lab/probe/matrix.ts";
import { SOCKET } from "../../src/lab/probe/socket.ts";
import { LiveFlow } from "../fixture/live-flow.ts";
import { policyDefinitions } from "../fixture/policy-kinds.ts";
import { waitFor } from "../fixture/sandbox.ts";

const READY_MS = 120_000;
/** Until a change of policies shows in packets. */
const CONVERGED_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped, or its server has not run yet. */
const PROBE_MS = 300;
/** What passes has answered by then. */
const ANSWER_MS = 10_000;

const SSH = { protocol: "TCP", port: 22 } as const;
const WEB = { protocol: "TCP", port: 80 } as const;
const DNS = { protocol: "UDP", port: 53 } as const;
const PING = { protocol: "ICMP", port: 0 } as const;
const ALL: readonly ProbePort[] = [SSH, WEB, DNS, PING];

/** Who asks whom, and what passes, of {@link ALL}. */
type Expected = readonly (readonly [from: string, to: string, passes: string])[];

const EVERYTHING = ALL.map(portKey).join(" ");
const CALICO = "projectcalico.org/v3";
const HOST_ENDPOINT = { apiVersion: CALICO, kind: "HostEndpoint" };
const CLUSTERWIDE = { apiVersion: "cilium.io/v2", kind: "CiliumClusterwideNetworkPolicy" };
const GLOBAL = { apiVersion: CALICO, kind: "GlobalNetworkPolicy" };

const hostEndpoint = (interfaceName: string, more: object = {}): NewObject => ({
  ...HOST_ENDPOINT,
  metadata: { name: "h", labels: { role: "node" } },
  spec: { node: "node-1", interfaceName, ...more },
});

describe("policy of nodes", () => {
  let lab: Lab;

  before(async () => {
    lab = await startLab({ name: "test-policy-host", nodes: 2, objects: policyDefinitions() });
    await lab.ready(READY_MS);
    for (const [name, nodeName] of [
      ["a", "node-1"],
      ["b", "node-1"],
      ["far", "node-2"],
    ] as const)
      lab.objects.create({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: "default", name, labels: { app: name } },
        spec: {
          nodeName,
          containers: [
            { name: "echo", image: ECHO_IMAGE, ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP" }] },
          ],
        },
      });
    await lab.until(
      { apiVersion: "v1", kind: "Pod", namespace: "default" },
      (l) => l.length === 3 && l.every(isPodReady),
      READY_MS,
      "the pods",
    );
  });
  after(() => lab?.[Symbol.asyncDispose]());

  function clear(): void {
    for (const kind of [HOST_ENDPOINT, CLUSTERWIDE, GLOBAL])
      for (const { metadata } of lab.objects.list(kind)) lab.objects.delete({ ...kind, name: metadata.name });
  }

  const endpointName = (short: string) =>
    lab.endpoints().find((e) => e.name === short || e.name === `default/${short}`)?.name ?? short;

  /** Of each pair what passes in both families, as the table has it. */
  async function passing(expected: Expected, timeoutMs = PROBE_MS): Promise<string[]> {
    const matrix = await lab.probe({
      ports: ALL,
      from: [...new Set(expected.map(([from]) => from))],
      to: [...new Set(expected.map(([, to]) => to))],
      timeoutMs,
    });
    return expected.map(([from, to]) => {
      const words = ALL.map(portKey).flatMap((key) => {
        const verdict = matrix[key]?.[endpointName(from)]?.[endpointName(to)];
        return verdict === "ok" ? [key] : verdict?.includes(":") === true ? [`${key} ${verdict}`] : [];
      });
      return `${from} → ${to}: ${words.join(" ")}`;
    });
  }

  /** Waits until it is so, and holds that it then stays so. */
  async function expectNow(expected: Expected): Promise<void> {
    const wanted = expected.map(([from, to, passes]) => `${from} → ${to}: ${passes}`);
    const end = Date.now() + CONVERGED_MS;
    for (;;) {
      const isLast = Date.now() > end;
      const now = await passing(expected);
      if (now.join("\n") === wanted.join("\n")) break;
      if (isLast) assert.deepEqual(now, wanted);
    }
    const still = await passing(expected);
    for (const [i, [from, to, passes]] of expected.entries()) {
      if (still[i] === wanted[i]) continue;
      const more = (still[i] ?? "").replace(`${from} → ${to}: `, "").split(" ");
      const keys = ALL.map(portKey).filter((key) => more.includes(key));
      assert.deepEqual(
        keys.filter((key) => !passes.split(" ").includes(key)),
        [],
        `${still[i]}: it does not stay so`,
      );
      // An answer is missing: it may be late.
      const [again] = await passing([[from, to, passes]], ANSWER_MS);
      assert.equal(again, wanted[i], "it stays so");
    }
  }

  const OPEN: Expected = [
    ["outside", "node-1", EVERYTHING],
    ["node-2", "node-1", EVERYTHING],
    ["a", "node-1", EVERYTHING],
    ["far", "node-1", EVERYTHING],
    ["node-1", "outside", EVERYTHING],
    ["node-1", "node-2", EVERYTHING],
    ["node-1", "a", "80/TCP 53/UDP ICMP"],
    ["node-1", "far", "80/TCP 53/UDP ICMP"],
  ];

  test("without any, everything is open", () => expectNow(OPEN));

  test("a host endpoint without policies denies all but failsafe ports, and cuts off nobody else", async () => {
    lab.objects.create(hostEndpoint("*"));
    await expectNow([
      ["outside", "node-1", "22/TCP"],
      ["node-2", "node-1", "22/TCP"],
      ["a", "node-1", "22/TCP"],
      ["far", "node-1", "22/TCP"],
      ["node-1", "outside", "53/UDP"],
      ["node-1", "node-2", "53/UDP"],
      ["node-1", "far", "53/UDP"],
      ["node-1", "a", "80/TCP 53/UDP ICMP"],
      ["a", "far", "80/TCP 53/UDP ICMP"],
      ["far", "a", "80/TCP 53/UDP ICMP"],
      ["a", "outside", EVERYTHING],
      ["outside", "node-2", EVERYTHING],
    ]);
    // The agent there is not cut off from the API: it hears of the change.
    clear();
    await expectNow(OPEN);
  });

  test("one of a device is about what goes by that device", async () => {
    lab.objects.create(hostEndpoint("eth0"));
    await expectNow([
      ["outside", "node-1", "22/TCP"],
      ["node-1", "outside", "53/UDP"],
      ["a", "node-1", EVERYTHING],
      ["far", "node-1", EVERYTHING],
      ["node-1", "far", "80/TCP 53/UDP ICMP"],
    ]);
    clear();
    await expectNow(OPEN);
  });

  test("policies open it for whom they name", async () => {
    lab.objects.create({
      ...GLOBAL,
      metadata: { name: "web" },
      spec: {
        selector: "role == 'node'",
        types: ["Ingress", "Egress"],
        ingress: [
          { action: "Allow", protocol: "TCP", source: { selector: "app == 'a'" }, destination: { ports: [80] } },
          {
            action: "Allow",
            protocol: "TCP",
            source: { nets: ["198.51.100.0/24", "2001:db8:51::/64"] },
            destination: { ports: [80] },
          },
        ],
        egress: [{ action: "Allow" }],
      },
    });
    lab.objects.create(hostEndpoint("*"));
    await expectNow([
      ["outside", "node-1", "22/TCP 80/TCP"],
      ["node-2", "node-1", "22/TCP"],
      ["a", "node-1", "22/TCP 80/TCP"],
      ["b", "node-1", "22/TCP"],
      ["far", "node-1", "22/TCP"],
      ["node-1", "outside", EVERYTHING],
      ["node-1", "far", "80/TCP 53/UDP ICMP"],
    ]);
    clear();
    await expectNow(OPEN);
  });

  test("Cilium's host policy lets one pod to a port, and says nothing of egress", async () => {
    lab.objects.create({
      ...CLUSTERWIDE,
      metadata: { name: "host" },
      spec: {
        nodeSelector: { matchLabels: { "kubernetes.io/hostname": "node-1" } },
        ingress: [
          { fromEndpoints: [{ matchLabels: { app: "a" } }], toPorts: [{ ports: [{ port: "80", protocol: "TCP" }] }] },
        ],
      },
    });
    await expectNow([
      ["outside", "node-1", "22/TCP"],
      ["a", "node-1", "22/TCP 80/TCP"],
      ["b", "node-1", "22/TCP"],
      ["far", "node-1", "22/TCP"],
      ["node-1", "outside", EVERYTHING],
      ["node-1", "a", "80/TCP 53/UDP ICMP"],
      ["outside", "node-2", EVERYTHING],
      ["a", "node-2", EVERYTHING],
    ]);
    clear();
    await expectNow(OPEN);
  });

  test("connections from before go on where policy allows them, whoever speaks first, and are cut where it does not", async () => {
    const end = (name: string, i: number) => {
      const found = lab.endpoints().find((e) => e.name === name);
      assert.ok(found !== undefined, name);
      return { netns: found.netns, address: found.addresses[i] ?? "" };
    };
    for (const i of [0, 1]) {
      using kept = await LiveFlow.open("kept", "TCP", [end("outside", i), end("node-1", i)], 179);
      using own = await LiveFlow.open("own", "TCP", [end("node-1", i), end("outside", i)], 2379);
      using cut = await LiveFlow.open("cut", "TCP", [end("outside", i), end("node-1", i)], 8080);
      // Servers go on listening, by which the programs tell who began what they have not seen begin.
      using _listener = listen(end("node-1", i), 179);
      const arrives = (flow: LiveFlow) =>
        waitFor(
          `${flow.name} to go on`,
          () => flow.lanes.every((lane) => lane.arrived.has(lane.sent.length - 1)),
          CONVERGED_MS,
        );
      const speak = (flow: LiveFlow) => flow.tick("");
      for (const flow of [kept, own, cut]) {
        speak(flow);
        await arrives(flow);
      }
      lab.objects.create(hostEndpoint("*"));
      await expectNow([["outside", "node-1", "22/TCP"]]);
      for (const flow of [kept, own, cut]) speak(flow);
      for (const flow of [kept, own]) await arrives(flow);
      assert.ok(
        cut.lanes.some((lane) => !lane.arrived.has(1)),
        "nothing lets it pass",
      );
      clear();
      await expectNow([["outside", "node-1", EVERYTHING]]);
      await arrives(cut);
    }
  });
});

/** A listener until it is disposed, beside what is connected there. */
function listen({ netns, address }: { readonly netns: string; readonly address: string }, port: number): Disposable {
  const addon = loadAddon();
  const fd = addon.socket(netns, address.includes(":") ? SOCKET.AF_INET6 : SOCKET.AF_INET, SOCKET.STREAM, 0);
  addon.setOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_REUSEADDR, 1);
  addon.bind(fd, address, port);
  addon.listen(fd, 1);
  return { [Symbol.dispose]: () => addon.close(fd) };
}
