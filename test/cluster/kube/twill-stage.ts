/** A real cluster with the images that tests need, and Twill installed in it as its users do. */

import { cpSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { CommandError } from "../../../src/lab/run.ts";
import { repoRoot } from "../../../tools/repo-files.ts";
import { KubeApi } from "./api.ts";
import { KubeCluster } from "./cluster.ts";
import { API_PORT } from "./control.ts";
import { helmProgram } from "./helm.ts";
import { clusterImages } from "./images.ts";
import { programDirectory } from "./programs.ts";
import { SLOW_MS, type Stage } from "./stage.ts";

/** What is installed. */
export const MANIFEST = join(repoRoot, "install/twill.yaml");
const CRDS = join(repoRoot, "install/crds");
const DAEMON_SET = ["-n", "kube-system", "daemonset/twill"] as const;

const CHART = join(repoRoot, "install/chart");

/** See the head of this file. */
export class TwillStage implements Stage, AsyncDisposable {
  readonly cluster: KubeCluster;
  readonly api: KubeApi;
  readonly #hasKubeProxy: boolean;

  private constructor(cluster: KubeCluster, api: KubeApi, hasKubeProxy: boolean) {
    this.cluster = cluster;
    this.api = api;
    this.#hasKubeProxy = hasKubeProxy;
  }

  /** A cluster of three nodes that have the images, and no network yet. */
  static async open({ hasKubeProxy }: { readonly hasKubeProxy: boolean }): Promise<TwillStage> {
    const cluster = await KubeCluster.start({ nodes: 3, programs: programDirectory(), hasKubeProxy });
    try {
      const stage = new TwillStage(cluster, await KubeApi.open(cluster), hasKubeProxy);
      for (const archive of clusterImages()) {
        // Nodes link to it, which does not cross file systems.
        const here = join(cluster.directory, basename(archive));
        cpSync(archive, here);
        await Promise.all(cluster.nodes.map((n) => n.loadImage(here)));
      }
      return stage;
    } catch (cause) {
      await cluster[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Applies the manifest and waits until every node is ready. Without kube-proxy agents are told where the API is. */
  async install(): Promise<void> {
    const { cluster } = this;
    await cluster.kubectl(["apply", "-f", MANIFEST]);
    const server = `TWILL_API_SERVER=${this.#apiServer}`;
    if (!this.#hasKubeProxy) await cluster.kubectl(["set", "env", ...DAEMON_SET, server]);
    await this.untilRolledOut();
  }

  /** {@link install} by the chart. */
  async installChart(): Promise<void> {
    const where = this.#hasKubeProxy ? [] : ["--set", `apiServer=${this.#apiServer}`];
    await this.helm(["install", "twill", CHART, ...where]);
    await this.untilRolledOut();
  }

  /** Installs the chart anew with some values set differently. */
  async upgradeChart(values: Readonly<Record<string, string>>): Promise<void> {
    const set = Object.entries(values).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    await this.helm(["upgrade", "twill", CHART, "--reuse-values", ...set]);
    await this.untilRolledOut();
  }

  /** Runs Helm as an administrator, in Twill's namespace. @throws CommandError unless it succeeds */
  async helm(args: readonly string[]): Promise<string> {
    const argv = [helmProgram() ?? "helm", "--kubeconfig", this.cluster.adminConfig, "-n", "kube-system", ...args];
    const output = await this.cluster.attempt(argv, { timeoutMs: SLOW_MS });
    if (output.code !== 0) throw new CommandError(argv, output);
    return output.stdout;
  }

  /** Waits until all agents are those of the last change, and all nodes are ready. */
  async untilRolledOut(): Promise<void> {
    const { cluster } = this;
    await cluster.kubectl(["rollout", "status", ...DAEMON_SET, "--timeout=280s"], { timeoutMs: SLOW_MS });
    await cluster.kubectl(["wait", "node", "--all", "--for=condition=Ready", "--timeout=280s"], { timeoutMs: SLOW_MS });
  }

  /** Defines every kind of policy. Agents look for kinds that were absent every 30 to 60 seconds. */
  async defineKinds(): Promise<void> {
    for (const file of readdirSync(CRDS).filter((f) => f.endsWith(".yaml")))
      await this.cluster.kubectl(["apply", "-f", join(CRDS, file)]);
  }

  get #apiServer(): string {
    return `https://${this.cluster.topology.api.v4}:${API_PORT}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}
