/**
 * A real Kubernetes on this machine: control plane and nodes as boxes on one wire. Everything in a box ends with this
 * process, however that ends; files are below one folder, which the next run removes when its process is gone.
 */

import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sweepTemporary } from "../../../src/kernel/linux/sweep-temporary.ts";
import { runIn } from "../../../src/lab/box.ts";
import { CommandError, type Output } from "../../../src/lab/run.ts";
import { type Topology, topology } from "../../../src/lab/topology.ts";
import { openUnderlay, plugNode, type Underlay } from "../../../src/lab/underlay.ts";
import { removeCgroups } from "../../fixture/cgroups.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import { CGROUP_PREFIX } from "./cgroups.ts";
import { API_PORT, ControlPlane, SERVICES } from "./control.ts";
import { KubeNode } from "./node.ts";
import { ClusterPki } from "./pki.ts";

const PREFIX = "twill-kube-";
const POD_CIDRS = ["10.244.0.0/16", "fd00:10:244::/56"];

/** What to make. */
export interface ClusterOptions {
  readonly nodes: number;
  /** Folder of Kubernetes' programs. */
  readonly programs: string;
  readonly hasKubeProxy: boolean;
}

/** See the head of this file. */
export class KubeCluster implements AsyncDisposable {
  readonly directory: string;
  readonly topology: Topology;
  readonly underlay: Underlay;
  readonly control: ControlPlane;
  readonly nodes: readonly KubeNode[];

  private constructor(parts: Pick<KubeCluster, "directory" | "topology" | "underlay" | "control" | "nodes">) {
    this.directory = parts.directory;
    this.topology = parts.topology;
    this.underlay = parts.underlay;
    this.control = parts.control;
    this.nodes = parts.nodes;
  }

  /** Starts the cluster and waits until its nodes have registered. They are not ready: they have no network. */
  static async start(options: ClusterOptions): Promise<KubeCluster> {
    sweepTemporary(new RegExp(`^${PREFIX}([0-9]+)$`));
    removeCgroups(CGROUP_PREFIX);
    const directory = join(tmpdir(), `${PREFIX}${process.pid}`);
    mkdirSync(directory, { mode: 0o711 });
    const t = topology(options.nodes);
    const pki = await ClusterPki.create(`https://${t.api.v4}:${API_PORT}`);
    const underlay = await openUnderlay(t);
    const { programs } = options;
    const control = new ControlPlane({
      box: underlay.api,
      address: t.api,
      directory: join(directory, "control"),
      programs,
      pki,
      podCidrs: POD_CIDRS,
    });
    const nodes: KubeNode[] = [];
    const cluster = new KubeCluster({ directory, topology: t, underlay, control, nodes });
    try {
      await control.start();
      for (const lab of t.nodes) {
        const disk = join(directory, lab.name);
        const { hasKubeProxy } = options;
        const node = await KubeNode.open({
          lab,
          disk,
          programs,
          pki,
          dnsAddress: SERVICES.dns,
          podCidrs: POD_CIDRS,
          hasKubeProxy,
        });
        nodes.push(node);
        await plugNode(underlay.wire, node.box, lab, t);
      }
      await Promise.all(nodes.map((n) => n.start()));
      await waitFor(
        "all nodes to register",
        async () => (await cluster.kubectl(["get", "nodes", "-o", "name"])).trim().split("\n").length === nodes.length,
        180_000,
      );
      return cluster;
    } catch (cause) {
      await cluster[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** The node of that name. */
  node(name: string): KubeNode {
    const found = this.nodes.find((n) => n.name === name);
    if (found === undefined) throw new Error(`There is no node "${name}"`);
    return found;
  }

  /** Cuts a node's power and boots it again from its disk. Nothing waits for it to be ready. */
  async reboot(name: string): Promise<void> {
    const node = this.node(name);
    const { wire } = this.underlay;
    const { lab } = node.spec;
    await node.powerCycle();
    // Its end of the wire goes with its network namespace, which takes the kernel a moment.
    const isUnplugged = async () =>
      (await runIn(wire, ["ip", "link", "show", `n${lab.index}`], { isNetOnly: true })).code !== 0;
    await waitFor(`${name}'s link to be gone`, isUnplugged, 60_000);
    await plugNode(wire, node.box, lab, this.topology);
    await node.start();
  }

  /** Runs kubectl as an administrator. @throws CommandError unless it succeeds */
  async kubectl(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
    const output = await this.attemptKubectl(args, options);
    if (output.code !== 0) throw new CommandError(["kubectl", ...args], output);
    return output.stdout;
  }

  /** As {@link kubectl}, whatever its end. */
  attemptKubectl(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Output> {
    return this.attempt(["kubectl", "--kubeconfig", this.adminConfig, ...args], options);
  }

  /** An administrator's kubeconfig. */
  get adminConfig(): string {
    return join(this.directory, "control/keys/admin.conf");
  }

  /** Runs a program of this machine where the API can be reached, to its end. */
  attempt(argv: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Output> {
    const env = { PATH: process.env["PATH"] ?? "", HOME: this.directory };
    return runIn(this.underlay.api, argv, { isNetOnly: true, env, timeoutMs: 120_000, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((n) => n.close()));
    const { wire, outside, api } = this.underlay;
    await Promise.all([api, outside, wire].map((b) => b.close()));
    removeCgroups(CGROUP_PREFIX);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
