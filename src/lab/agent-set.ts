/** The lab's Twill: the DaemonSet and what its pods find on a node (program, configuration, access to the API). */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { NewObject } from "../cluster/embedded/types.ts";
import type { Box } from "./box.ts";

/** Where the agents of a lab answer on their node. */
const AGENT_HEALTH_PORT = 9879;
const AGENT_METRICS_PORT = 9878;
/** Name and namespace of the DaemonSet, as the manifest for real clusters has them. */
export const AGENT_SET = { namespace: "kube-system", name: "twill", container: "agent" } as const;

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A configuration of the agent: what the lab needs, and the user's own keys over it. */
export type AgentConfig = Readonly<Record<string, unknown>>;

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Merges maps key by key; anything else of `over` replaces. */
export function mergeConfig(base: AgentConfig, over: AgentConfig): AgentConfig {
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = out[key];
    out[key] = isPlain(old) && isPlain(value) ? mergeConfig(old, value) : value;
  }
  return out;
}

/** The configuration file of one node's agent. */
export function agentConfig(node: string, own: AgentConfig): AgentConfig {
  const base = {
    nodeName: node,
    kubeconfig: "/etc/twill/kubeconfig",
    health: { listen: `127.0.0.1:${AGENT_HEALTH_PORT}` },
    metrics: { listen: `127.0.0.1:${AGENT_METRICS_PORT}` },
  };
  return mergeConfig(base, own);
}

/** Puts what the agent needs into a node's files. */
export function installAgent(box: Box, config: AgentConfig, kubeconfig: string): void {
  const put = (path: string, text: string, mode: number) => {
    mkdirSync(dirname(join(box.root, path)), { recursive: true });
    writeFileSync(join(box.root, path), text, { mode });
  };
  put("etc/twill/config.yaml", stringify(config), 0o600);
  put("etc/twill/kubeconfig", kubeconfig, 0o600);
  put("opt/twill/bin/twill", launcher(), 0o755);
}

/** `twill` on the PATH of a node: this checkout's, by the Node that runs the lab. */
function launcher(): string {
  const cache = process.env["NODE_COMPILE_CACHE"] ?? join(REPOSITORY, "build/compile-cache");
  return `#!/bin/sh\nexport NODE_COMPILE_CACHE='${cache}'\nexec '${process.execPath}' '${join(REPOSITORY, "src/cli/main.ts")}' "$@"\n`;
}

/** The DaemonSet. */
export function agentSet(): NewObject {
  const labels = { "app.kubernetes.io/name": "twill", "app.kubernetes.io/part-of": "twill" };
  const env = [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }];
  const container = {
    name: AGENT_SET.container,
    image: "twill.dev/twill:0.1.0",
    command: ["twill", "agent", "--node", "$(NODE_NAME)", "--config", "/etc/twill/config.yaml"],
    env,
    readinessProbe: { httpGet: { host: "127.0.0.1", path: "/readyz", port: AGENT_HEALTH_PORT }, periodSeconds: 2 },
  };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: AGENT_SET.name, namespace: AGENT_SET.namespace, labels },
    spec: {
      selector: { matchLabels: { "app.kubernetes.io/name": "twill" } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          priorityClassName: "system-node-critical",
          tolerations: [{ operator: "Exists" }],
          terminationGracePeriodSeconds: 10,
          containers: [container],
        },
      },
    },
  };
}
