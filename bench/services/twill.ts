/** Twill's own: one node with a real agent that follows an API of services, and pods that are their backends. */

import { spawnIn } from "../../src/lab/box.ts";
import { inGroupOf } from "../../src/lab/control-group.ts";
import { inNetns, run, type Sandbox, waitFor } from "../../test/fixture/sandbox.ts";
import { addPod, openNodes, type Pod, type TwillNode } from "../../test/fixture/twill-nodes.ts";
import { goFirst } from "../priority.ts";
import { rssMb } from "../process.ts";
import { quantile, type Sample, TWILL } from "../stats.ts";
import { RATE_PORT, rateServer } from "../tools.ts";
import { apiCommand, BenchApi } from "./api.ts";
import { type Subject, serviceTargets, whenLoaded } from "./subject.ts";

const KUBECONFIG = "/etc/twill/kubeconfig";
const CLIENT = "client";
const POD_CIDR = "10.244.1.0/24";

/** See the head of this file. */
export class TwillServices {
  readonly #node: TwillNode;
  readonly #api: BenchApi;
  readonly #client: Pod;
  readonly #servers: readonly Pod[];

  private constructor(node: TwillNode, api: BenchApi, client: Pod, servers: readonly Pod[]) {
    this.#node = node;
    this.#api = api;
    this.#client = client;
    this.#servers = servers;
  }

  /** Starts all of it; it goes with the stack. */
  static async open(stack: AsyncDisposableStack, box: Sandbox, backends: number): Promise<TwillServices> {
    const [node] = await openNodes(stack, {
      count: 1,
      config: { cluster: "kube", kubeconfig: KUBECONFIG, clusterCIDRs: ["10.244.0.0/16"], allocateNodeCIDRs: false },
    });
    if (node === undefined) throw new RangeError("Cannot make no node");
    const api = await BenchApi.open(
      stack,
      spawnIn(node.box, apiCommand(KUBECONFIG), { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const places = Array.from({ length: backends }, (_, i) => ({ name: `server-${i}`, address: `10.244.1.${3 + i}` }));
    await api.ask({
      what: "open",
      node: node.name,
      nodeAddress: node.address,
      podCidr: POD_CIDR,
      backends: places.map(({ address }) => ({ address, port: RATE_PORT })),
      pods: [CLIENT, ...places.map(({ name }) => name)],
    });
    node.startAgent();
    stack.defer(() => node.stopAgent());
    goFirst(await waitFor("the agent's process", () => node.agentPid()));
    await node.whenReady();
    const client = await addPod(node, { name: CLIENT });
    box.sysctl(client.netns, { "net.ipv4.tcp_congestion_control": "reno" });
    const servers: Pod[] = [];
    for (const { name, address } of places) {
      const pod = await addPod(node, { name, capabilityArgs: { ips: [`${address}/32`] } });
      box.sysctl(pod.netns, { "net.ipv4.tcp_congestion_control": "reno" });
      box.start(rateServer(pod.netns, address));
      await waitFor(`the server at ${address}`, () =>
        run(inNetns(pod.netns, ["ss", "-Hltn"])).includes(`${address}:${RATE_PORT} `),
      );
      servers.push(pod);
    }
    return new TwillServices(node, api, client, servers);
  }

  /** Services, and the way to the backends without one. */
  subjects(): Subject[] {
    const clientNetns = this.#client.netns;
    const wrap = (argv: readonly string[]) => inGroupOf(this.#node.box.init.pid, argv);
    const where = { name: TWILL, clientNetns, wrap };
    return [
      {
        ...where,
        targets: serviceTargets,
        load: async (services) => {
          const start = performance.now();
          await this.#api.ask({ what: "load", count: services });
          await whenLoaded(where, services);
          return performance.now() - start;
        },
      },
      {
        ...where,
        name: "direct",
        targets: () => ({ host: this.#servers[0]?.addresses[0] ?? "", addresses: this.#servers.length }),
        load: () => Promise.resolve(undefined),
      },
    ];
  }

  /** Backends come and go: from the object's change to the map; and what the agent takes. */
  async measureChanges(at: string, changes: number): Promise<Sample[]> {
    const { timesMs = [] } = await this.#api.ask({ what: "change", count: changes });
    const sample = (name: string, value: number): Sample => ({
      row: `${at}.${name}`,
      subject: TWILL,
      round: 0,
      value,
    });
    return [
      sample("applied.p50", quantile(timesMs, 0.5)),
      sample("applied.p99", quantile(timesMs, 0.99)),
      sample("rss", rssMb(this.#node.agentPid())),
    ];
  }
}
