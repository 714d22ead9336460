/**
 * Ten backends are replaced one after the other while connections come from a pod and, through a node port, from outside:
 * where readiness and termination are used as Kubernetes documents, none fails.
 */

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { eventually, type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import type { Connected } from "./connector.ts";

const CONNECTOR = fileURLToPath(new URL("connector.ts", import.meta.url));
const BACKENDS = 10;
/** From inside, and as many from outside: what a machine of two cores carries beside a lab. */
const PER_SECOND = 250;
const ROLLED_MS = 240_000;
const DEPLOYMENT = { apiVersion: "apps/v1", kind: "Deployment" };

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({ name: "test-service-rolling", nodes: 2 });
  await s.pods({ client: "node-1" });
});
after(() => s?.[Symbol.asyncDispose]());

function deploy(version: string): void {
  s.lab.objects.apply({
    ...DEPLOYMENT,
    metadata: { namespace: "default", name: "web" },
    spec: {
      replicas: BACKENDS,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: "web" }, annotations: { version } },
        spec: {
          containers: [
            {
              name: "echo",
              image: ECHO_IMAGE,
              env: [{ name: "ECHO_DRAIN_SECONDS", value: "3" }],
              ports: [{ name: "web", containerPort: 80, protocol: "TCP" }],
              readinessProbe: { tcpSocket: { port: "web" }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
}

/** Waits until exactly the pods of a version are there, all ready. */
async function rolled(version: string): Promise<void> {
  const isReady = (p: { status?: { conditions?: { type: string; status: string }[] } }) =>
    p.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
  await s.lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default", labelSelector: "app=web" },
    (pods) =>
      pods.length === BACKENDS &&
      pods.every((p) => p.metadata.annotations?.["version"] === version && isReady(p as never)),
    ROLLED_MS,
    `${BACKENDS} pods of version ${version} and no other`,
  );
}

class Connector {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<string>;

  constructor(netns: string, to: string, port: number) {
    const command = [process.execPath, CONNECTOR, to, `${port}`, `${PER_SECOND}`];
    this.#child = spawn("nsenter", [`--net=${netns}`, "--", ...command]);
    this.#ended = new Promise((resolve, reject) => {
      let [text, errors] = ["", ""];
      this.#child.stdout.on("data", (chunk) => {
        text += chunk;
      });
      this.#child.stderr.on("data", (chunk) => {
        errors += chunk;
      });
      this.#child.on("close", (code) => (code === 0 ? resolve(text) : reject(new Error(errors))));
    });
  }

  async stop(): Promise<Connected> {
    this.#child.stdin.end();
    return JSON.parse(await this.#ended) as Connected;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

test("no connection fails while ten backends are replaced, from inside and through a node port", async (t) => {
  deploy("1");
  const [v4] = s.service("web", {
    type: "NodePort",
    selector: { app: "web" },
    ports: [{ name: "web", port: 8000, targetPort: "web" }],
  });
  await rolled("1");
  const port = s.nodePort("web", "web");
  const node = s.at("node-1").addresses[0] ?? "";
  for (const [from, to, at] of [
    ["default/client", v4, 8000],
    ["outside", node, port],
  ] as const)
    await eventually(async () => assert.equal((await s.ask(from, "TCP", to, at)).verdict, "ok"));
  using inside = new Connector(s.at("default/client").netns, v4, 8000);
  using outside = new Connector(s.at("outside").netns, node, port);
  deploy("2");
  await rolled("2");
  for (const [from, load] of [
    ["inside", inside],
    ["outside", outside],
  ] as const) {
    const { attempts, failures, servers, slowestMs, seconds } = await load.stop();
    t.diagnostic(
      `${from}: ${attempts} connections in ${seconds.toFixed(1)} s to ${Object.keys(servers).length} servers, slowest ${slowestMs.toFixed(0)} ms`,
    );
    assert.deepEqual(failures, {}, from);
    assert.ok(Object.keys(servers).length > BACKENDS, "some of before and some of after have answered");
    assert.ok(attempts > 500, `${attempts} connections`);
  }
});
