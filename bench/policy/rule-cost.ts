/** What ten thousand rules cost a packet and a connection: Twill with and without them, beside netfilter with the same. */

import { spawnSync } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { writeIn } from "../../test/fixture/files.ts";
import { inNetns, Sandbox, waitFor } from "../../test/fixture/sandbox.ts";
import { addPod, openNodes, startAgents, type TwillNode } from "../../test/fixture/twill-nodes.ts";
import type { BenchOptions } from "../path.ts";
import { goFirst } from "../priority.ts";
import { type RowSpec, type Sample, TWILL } from "../stats.ts";
import { measureConnectionRate, measureRoundTrip, startServers } from "../tools.ts";
import { type NodePath, type Path, routedSameNode } from "../topologies.ts";
import { asNetworkPolicies, LOADERS, makeRules } from "./rules.ts";

const APP = "ruled";
/** Twill's own pods that no policy selects, on the same node and in the same run. */
const WITHOUT = "twill-without-rules";

/** Rows of {@link RuleCost}. */
export function ruleCostSpecs(rules: number): RowSpec[] {
  const at = `policy.${rules}`;
  return [
    { name: `${at}.rtt.p50`, unit: "us" },
    { name: `${at}.rtt.p99`, unit: "us" },
    { name: `${at}.conn-rate`, unit: "1/s" },
    { name: `${at}.load`, unit: "ms" },
  ];
}

interface Load {
  readonly subject: string;
  readonly ms: number;
}

/** The ways that are measured, with their rules in place. */
export class RuleCost {
  readonly #rules: number;
  readonly #paths: readonly Path[];
  readonly #loads: readonly Load[];

  private constructor(rules: number, paths: readonly Path[], loads: readonly Load[]) {
    this.#rules = rules;
    this.#paths = paths;
    this.#loads = loads;
  }

  /** Builds all ways; they go with the stack. */
  static async open(stack: AsyncDisposableStack, rules: number, log: (line: string) => void): Promise<RuleCost> {
    const box = stack.use(new Sandbox("twbr"));
    const loads: Load[] = [];
    const peers = ["kernel-routing", ...Object.keys(LOADERS)].map((subject, i): Path => {
      const path = { ...routedSameNode(box, `f${i}`), subject };
      const load = LOADERS[subject];
      if (load === undefined) return path;
      const ms = load(path.nodeNetns, makeRules(rules, path.clientAddress), path.serverAddress);
      loads.push({ subject, ms });
      log(`${subject}: ${rules} rules loaded in ${ms.toFixed(0)} ms`);
      return path;
    });
    const twill = await twillPaths(stack, box, rules);
    loads.push({ subject: TWILL, ms: twill.loadMs });
    log(`twill: ${rules} rules in force ${twill.loadMs.toFixed(0)} ms after they were there`);
    const paths = [...twill.paths, ...peers];
    for (const path of paths) await startServers(box, path);
    return new RuleCost(rules, paths, loads);
  }

  /** Measures all ways in turn. */
  async measure(round: number, options: BenchOptions): Promise<Sample[]> {
    const at = `policy.${this.#rules}`;
    const samples: Sample[] = [];
    for (const { subject, ms } of round === 0 ? this.#loads : [])
      samples.push({ row: `${at}.load`, subject, round, value: ms });
    // Each round starts with another path, so that none always follows the same neighbour.
    for (const i of this.#paths.keys()) {
      const path = this.#paths[(i + round) % this.#paths.length] as Path;
      await setImmediate();
      options.signal.throwIfAborted();
      const sample = (what: string, value: number) =>
        samples.push({ row: `${at}.${what}`, subject: path.subject, round, value });
      const { p50Us, p99Us } = measureRoundTrip(path, options.seconds);
      const rate = measureConnectionRate(path, options.seconds);
      options.log(`round ${round + 1} ${path.subject}: ${p50Us} us, ${rate.toFixed(0)} conn/s`);
      sample("rtt.p50", p50Us);
      sample("rtt.p99", p99Us);
      sample("conn-rate", rate);
    }
    return samples;
  }
}

/** Two pairs of pods on one node, of which one has the rules. */
async function twillPaths(stack: AsyncDisposableStack, box: Sandbox, rules: number) {
  const [node] = (await openNodes(stack, { count: 1 })) as [TwillNode];
  const put = (name: string, objects: readonly object[]) =>
    writeIn(node.box, `/run/objects/${name}.yaml`, objects.map((o) => JSON.stringify(o)).join("\n---\n"));
  const names = { client: "rule-client", server: "rule-server", openClient: "open-client", openServer: "open-server" };
  put("pods", [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } },
    ...Object.values(names).map((name) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name, labels: { app: name === names.server ? APP : "open" } },
      spec: { nodeName: node.name, containers: [{ name: "c", image: "i" }] },
    })),
  ]);
  await startAgents(stack, [node]);
  goFirst(node.agentPid());
  const [client, server, openClient, openServer] = [
    await addPod(node, { name: names.client }),
    await addPod(node, { name: names.server }),
    await addPod(node, { name: names.openClient }),
    await addPod(node, { name: names.openServer }),
  ];
  for (const pod of [client, server, openClient, openServer])
    box.sysctl(pod.netns, { "net.ipv4.tcp_congestion_control": "reno" });
  const start = performance.now();
  put("rules", asNetworkPolicies(makeRules(rules, client.addresses[0] ?? ""), "default", APP));
  // Nobody may ping the server from then on.
  const ping = inNetns(openClient.netns, ["ping", "-n", "-c", "1", "-W", "1", server.addresses[0] ?? ""]);
  await waitFor("the rules", () => spawnSync(ping[0] ?? "", ping.slice(1)).status !== 0, 120_000);
  const loadMs = performance.now() - start - 1000;
  const path = (subject: string, from: typeof client, to: typeof client): NodePath => ({
    subject,
    scope: "same-node",
    clientNetns: from.netns,
    serverNetns: to.netns,
    clientAddress: from.addresses[0] ?? "",
    serverAddress: to.addresses[0] ?? "",
    nodeNetns: node.box.netns,
  });
  return { loadMs, paths: [path(TWILL, client, server), path(WITHOUT, openClient, openServer)] };
}
