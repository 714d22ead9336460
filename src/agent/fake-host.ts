/** A node for tests of agents: a pretended machine, a cluster that is filled by hand, and agents that come and go. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unwrap } from "../base/result.ts";
import { FakeSource, testNode } from "../cluster/fake-source.ts";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../kernel/fake/machine.ts";
import { openLedger } from "../ledger/open.ts";
import { mac } from "../net/mac.ts";
import { parseInterfaceAddr } from "../net/prefix.ts";
import { ClusterMemory } from "./cluster-memory.ts";
import { handleCall } from "./cni/handler.ts";
import { parseConfig } from "./config/config.ts";
import type { Log } from "./log.ts";
import { type AgentParts, NodeAgent } from "./node-agent.ts";
/** The node itself, and another one. */
export const SELF = testNode("node-1", ["192.168.77.11", "fd00:77::11"], ["10.244.1.0/24", "fd00:10:244:1::/64"]);
export const OTHER = testNode("node-2", ["192.168.77.12", "fd00:77::12"], ["10.244.2.0/24", "fd00:10:244:2::/64"]);
/** What stands for the programs. */
export const OBJECT = new Uint8Array([1]);

/** A machine with an underlay, and agents that come and go on it. */
export class Host implements Disposable {
  readonly machine = new FakeMachine();
  readonly source = new FakeSource();
  readonly directory = mkdtempSync(join(tmpdir(), "twill-agent-"));
  readonly lines: { level: string; msg: string; fields: Readonly<Record<string, unknown>> }[] = [];
  clockMs = 1_000_000;
  readonly #ledger = openLedger({
    path: join(this.directory, "ledger.db"),
    bootId: "boot",
    coolDownMs: 0,
    lockTimeoutMs: 2000,
    monotonicMs: () => this.clockMs,
  });

  constructor() {
    const { machine } = this;
    const eth0 = machine.addDevice(machine.node, { name: "eth0", mac: mac("02:00:00:00:00:01"), mtuBytes: 1500 });
    eth0.isUp = true;
    eth0.addrs.push(unwrap(parseInterfaceAddr("192.168.77.11/24")), unwrap(parseInterfaceAddr("fd00:77::11/64")));
  }

  #log(): Log {
    const note =
      (level: string) =>
      (fields: object, msg = "") =>
        void this.lines.push({ level, msg, fields: fields as Readonly<Record<string, unknown>> });
    const levels = ["trace", "debug", "info", "warn", "error", "fatal"];
    return Object.fromEntries(levels.map((l) => [l, note(l)])) as unknown as Log;
  }

  /** What a newly started process has. */
  agent(change: Partial<AgentParts> = {}): NodeAgent {
    const agent = new NodeAgent({
      config: unwrap(parseConfig("cluster: dir:/etc/twill/objects", { set: new Map(), defaultNodeName: "node-1" })),
      kernel: createFakeKernel({ machine: this.machine }),
      ledger: this.#ledger,
      source: this.source,
      memory: new ClusterMemory(join(this.directory, "nodes.json")),
      log: this.#log(),
      nowMs: () => this.clockMs,
      newMac: () => mac("0a:00:00:00:00:01"),
      ...change,
    });
    agent.loadPrograms(OBJECT);
    return agent;
  }

  /** Attaches a pod as the plugin would. @param more of the network's configuration */
  addPod(agent: NodeAgent, name: string, more: object = {}): string {
    const netns = `/run/netns/${name}`;
    this.machine.addNetns(netns);
    const env = {
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: name,
      CNI_NETNS: netns,
      CNI_IFNAME: "eth0",
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
    };
    const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "twill", type: "twill", ...more });
    const { response } = handleCall(() => agent.context(), { env, stdin });
    assert.equal(response.exitCode, 0, response.stdout);
    return netns;
  }

  [Symbol.dispose](): void {
    this.#ledger[Symbol.dispose]();
    rmSync(this.directory, { recursive: true });
  }
}

/** All that an agent says is wrong, in its words. */
export function issuesOf(agent: NodeAgent): string {
  return agent
    .issues()
    .map((i) => i.message)
    .join("\n");
}

/** An agent that has run once. */
export function started(host: Host): NodeAgent {
  host.source.setNodes(SELF, OTHER);
  const agent = host.agent();
  agent.run();
  return agent;
}
