/**
 * A Deployment's backends are replaced one after the other while connections are opened at a steady pace, from inside and
 * from outside: where readiness and termination are used as Kubernetes documents, none fails.
 */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { PacedConnections } from "../../bench/native.ts";
import { type Box, enterCommand } from "../../src/lab/box.ts";
import { fromNetns, type Pace, Pacer } from "../fixture/pacer.ts";
import { eventually, type ServiceStage } from "../fixture/service-stage.ts";

const CALIBRATION_SECONDS = 3;
/** Of what was carried while nothing was replaced: while pods start and end, and whatever else a machine does, it carries less. */
const FLOOR = 0.1;

/** From where connections come. */
export type Way = "sockets" | "packets" | "outside";

/** What is rolled, and how much is asked meanwhile. */
export interface Rolling {
  readonly stage: ServiceStage;
  readonly image: string;
  readonly backends: number;
  /** How long a backend that is told to end goes on serving: until all nodes have heard of it. */
  readonly drainSeconds: number;
  /** Connections that are asked for: from inside by sockets and packet by packet, and from outside. */
  readonly perSecond: Readonly<Record<Way, number>>;
  /** The node of `default/client` as a box, where its sockets can be made so that its agent sees them. */
  readonly clientBox?: Pick<Box, "init" | "netns">;
  /** Applies the Deployment. */
  apply(deployment: object): void | Promise<void>;
  /** Waits until exactly so many pods of the version are there, all ready, and no other. */
  rolled(version: string, count: number): Promise<void>;
}

/** The Deployment in one of its versions. */
function deployment({ image, backends, drainSeconds }: Rolling, version: string): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace: "default", name: "rolled" },
    spec: {
      replicas: backends,
      selector: { matchLabels: { app: "rolled" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: "rolled" }, annotations: { version } },
        spec: {
          containers: [
            {
              name: "echo",
              image,
              imagePullPolicy: "Never",
              resources: { requests: { cpu: "50m" } },
              env: [
                { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                { name: "ECHO_NAME", value: "default/$(POD_NAME)" },
                { name: "ECHO_PORTS", value: "80/TCP" },
                { name: "ECHO_DRAIN_SECONDS", value: `${drainSeconds}` },
              ],
              ports: [{ name: "web", containerPort: 80, protocol: "TCP" }],
              readinessProbe: { tcpSocket: { port: "web" }, periodSeconds: 1, timeoutSeconds: 5 },
            },
          ],
        },
      },
    },
  };
}

type Paces = ReadonlyMap<Way, (seconds?: number) => Pacer>;

/** Makes the first version, and waits until it answers. `default/client` asks from inside. @returns what begins connections, by way */
export async function startRolling(rolling: Rolling): Promise<Paces> {
  const { stage: s, backends, perSecond, clientBox } = rolling;
  await rolling.apply(deployment(rolling, "1"));
  const [v4] = await s.service("rolled", {
    type: "NodePort",
    selector: { app: "rolled" },
    ports: [{ name: "web", port: 8000, targetPort: "web" }],
  });
  await rolling.rolled("1", backends);
  const port = await s.nodePort("rolled", "web");
  const node = s.at("node-1").addresses[0] ?? "";
  const { netns } = s.at("default/client");
  const pace = (way: Way, enter: Pace["enter"], to: string, at: number) =>
    [
      way,
      (seconds?: number) =>
        new Pacer({ enter, to, port: at, perSecond: perSecond[way], ...(seconds === undefined ? {} : { seconds }) }),
    ] as const;
  const paces = [
    pace("packets", fromNetns(netns), v4, 8000),
    pace("outside", fromNetns(s.at("outside").netns), node, port),
    ...(clientBox === undefined
      ? []
      : [pace("sockets", (argv) => enterCommand(clientBox, argv, { netns, isNetOnly: true }), v4, 8000)]),
  ];
  for (const [from, to, at] of [
    ["default/client", v4, 8000],
    ["outside", node, port],
  ] as const)
    await eventually(async () => assert.equal((await s.ask(from, "TCP", to, at)).verdict, "ok"));
  return new Map(paces);
}

/** Connections by all ways at once until something is done, or for some seconds. */
async function asked(paces: Paces, done: (() => Promise<void>) | number): Promise<ReadonlyMap<Way, PacedConnections>> {
  using stack = new DisposableStack();
  const seconds = typeof done === "number" ? done : undefined;
  const running = Array.from(paces, ([way, pace]) => [way, stack.use(pace(seconds))] as const);
  await Promise.all(running.map(([, p]) => p.ready));
  if (typeof done === "function") await done();
  const ends = running.map(async ([way, p]) => [way, await (seconds === undefined ? p.stop() : p.ended())] as const);
  return new Map(await Promise.all(ends));
}

/** Replaces all pods while connections come by all ways. */
export function roll(rolling: Rolling, paces: Paces, version: string): Promise<ReadonlyMap<Way, PacedConnections>> {
  return asked(paces, async () => {
    await rolling.apply(deployment(rolling, version));
    await rolling.rolled(version, rolling.backends);
  });
}

/** See the file's comment. */
export async function rollsUnharmed(t: TestContext, rolling: Rolling): Promise<void> {
  const { backends, perSecond } = rolling;
  const paces = await startRolling(rolling);
  const before = await asked(paces, CALIBRATION_SECONDS);
  for (const [way, found] of await roll(rolling, paces, "2")) {
    const { attempts, failures, servers, seconds, p50Ms, p99Ms, slowestMs } = found;
    const still = before.get(way);
    const [rate, usual] = [attempts / seconds, (still?.attempts ?? 0) / (still?.seconds ?? 1)];
    const names = Object.keys(servers).length;
    t.diagnostic(
      `${way}: ${attempts} connections in ${seconds.toFixed(1)} s, ${rate.toFixed(0)} a second of ${perSecond[way]} asked for (${usual.toFixed(0)} while nothing changed), to ${names} servers; p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, slowest ${slowestMs.toFixed(0)} ms`,
    );
    const begun = found.lastFailureMs - found.firstFailureMs;
    assert.deepEqual(failures, {}, `${way}: those that failed were begun within ${begun.toFixed(0)} ms`);
    assert.ok(names > backends, `${way}: some of before and some of after have answered`);
    assert.ok(rate >= FLOOR * usual, `${way}: ${rate} a second, and ${usual} before`);
  }
}
