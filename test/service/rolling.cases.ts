/**
 * A Deployment's backends are replaced one after the other while connections are opened at a steady pace, from inside and
 * from outside: where readiness and termination are used as Kubernetes documents, none fails.
 */

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Box, enterCommand } from "../../src/lab/box.ts";
import { eventually, type ServiceStage } from "../fixture/service-stage.ts";
import type { Connected } from "./connector.ts";

const CONNECTOR = fileURLToPath(new URL("connector.ts", import.meta.url));
const READY = "ready\n";
const MIN_CONNECTIONS = 500;

/** What is rolled, and how much is asked meanwhile. */
export interface Rolling {
  readonly stage: ServiceStage;
  readonly image: string;
  readonly backends: number;
  /** How long a backend that is told to end goes on serving: until all nodes have heard of it. */
  readonly drainSeconds: number;
  /** Connections of each who asks. */
  readonly perSecond: number;
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

class Connector implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<string>;
  /** Resolves when connections are under way. */
  readonly ready: Promise<void>;

  constructor(argv: readonly string[]) {
    const [file = "", ...args] = argv;
    this.#child = spawn(file, args);
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.#ended = new Promise((resolve, reject) => {
      let [text, errors] = ["", ""];
      this.#child.stdout.on("data", (chunk) => {
        text += chunk;
        if (text.startsWith(READY)) ready.resolve();
      });
      this.#child.stderr.on("data", (chunk) => {
        errors += chunk;
      });
      this.#child.on("close", (code) => {
        const failure = new Error(`The connector ended with status ${code}: ${errors}`);
        ready.reject(failure);
        if (code === 0) resolve(text.slice(READY.length));
        else reject(failure);
      });
    });
    // Whoever waits for it hears of it; a test that fails before does not.
    this.#ended.catch(() => {});
  }

  async stop(): Promise<Connected> {
    this.#child.stdin.end();
    return JSON.parse(await this.#ended) as Connected;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** See the file's comment. `default/client` asks from inside. */
export async function rollsUnharmed(t: TestContext, rolling: Rolling): Promise<void> {
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
  const command = (to: string, at: number) => [process.execPath, CONNECTOR, to, `${at}`, `${perSecond}`];
  const apart = (from: string, to: string, at: number) => [
    ...["nsenter", `--net=${s.at(from).netns}`, "--"],
    ...command(to, at),
  ];
  const askers: Record<string, readonly string[]> = {
    "inside, packet by packet": apart("default/client", v4, 8000),
    outside: apart("outside", node, port),
  };
  if (clientBox !== undefined) {
    const { netns } = s.at("default/client");
    askers["inside, by sockets"] = enterCommand(clientBox, command(v4, 8000), { netns, isNetOnly: true });
  }
  for (const [from, to, at] of [
    ["default/client", v4, 8000],
    ["outside", node, port],
  ] as const)
    await eventually(async () => assert.equal((await s.ask(from, "TCP", to, at)).verdict, "ok"));
  using stack = new DisposableStack();
  const loads = Object.entries(askers).map(([from, argv]) => ({ from, load: stack.use(new Connector(argv)) }));
  await Promise.all(loads.map((l) => l.load.ready));
  await rolling.apply(deployment(rolling, "2"));
  await rolling.rolled("2", backends);
  for (const { from, load } of loads) {
    const { attempts, failures, servers, slowestMs, seconds } = await load.stop();
    t.diagnostic(
      `${from}: ${attempts} connections in ${seconds.toFixed(1)} s to ${Object.keys(servers).length} servers, slowest ${slowestMs.toFixed(0)} ms`,
    );
    assert.deepEqual(failures, {}, from);
    assert.ok(Object.keys(servers).length > backends, "some of before and some of after have answered");
    assert.ok(attempts > MIN_CONNECTIONS, `${attempts} connections`);
  }
}
