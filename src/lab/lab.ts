/**
 * The cluster in a box: nodes, wire, outside host, API, kubelets, agents. Everything lives in namespaces of its own and
 * ends with this process; in the machine's own namespace there is only the API's listener on 127.0.0.1.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEmbeddedApi } from "../cluster/embedded/embedded-api.ts";
import type { EmbeddedApi, KubeObject, NewObject, ObjectClient, Selection } from "../cluster/embedded/types.ts";
import { loadAddon } from "../kernel/linux/addon.ts";
import { prefix } from "../net/prefix.ts";
import { AGENT_SET, type AgentConfig, agentConfig, agentSet, installAgent } from "./agent-set.ts";
import type { Box } from "./box.ts";
import { runDaemonSets } from "./controllers/daemon-sets.ts";
import { runDeployments } from "./controllers/deployments.ts";
import { runEndpointSlices } from "./controllers/endpoint-slices.ts";
import { runMirrorEndpoints } from "./controllers/mirror-endpoints.ts";
import { nodeCidr } from "./controllers/node-cidrs.ts";
import { runReplicaSets } from "./controllers/replica-sets.ts";
import { runScheduler } from "./controllers/scheduler.ts";
import { ECHO_IMAGE } from "./kubelet/image.ts";
import { Kubelet } from "./kubelet/kubelet.ts";
import { kubeletStreams } from "./kubelet/streams.ts";
import { type Endpoint, type Matrix, type MatrixOptions, probeMatrix } from "./probe/matrix.ts";
import { Responder } from "./probe/responder.ts";
import { SOCKET } from "./probe/socket.ts";
import { bootId } from "./process.ts";
import { claim, removeDirectory, self, writeState } from "./state.ts";
import { addressesOf, type LabNode, type Topology, topology } from "./topology.ts";
import { openNodeBox, openUnderlay, plugNode, type Underlay } from "./underlay.ts";

/** How a lab is made. */
export interface LabOptions {
  readonly name: string;
  readonly nodes: number;
  /** Keys of the agents' configuration that differ from the lab's own. */
  readonly agentConfig?: AgentConfig;
  /** MTU of the wire; default 1500. */
  readonly mtuBytes?: number;
  /** IP versions of the nodes' own addresses, the first one first; default both. */
  readonly underlay?: readonly (4 | 6)[];
  /** What is there before any agent is: definitions of custom resources, which agents look for when they start. */
  readonly objects?: readonly NewObject[];
  /** Instead of agents: the network configuration that every node has from the start. */
  readonly conflist?: (node: LabNode, podCIDRs: readonly string[]) => object;
  /** Told of each part of start-up that is done. */
  readonly onStep?: (text: string) => void;
  readonly onError?: (error: unknown, doing: string) => void;
}

/** Lines of an agent's log that an error quotes. */
const LAST_WORDS = 5;
/** Port of the API inside of the lab. */
const API_PORT = 6443;
const DEFAULT_CIDRS = ["10.244.0.0/16", "fd00:10:244::/48"];

/** A node that is up. */
export interface RunningNode {
  readonly node: LabNode;
  readonly box: Box;
  readonly kubelet: Kubelet;
  readonly podCIDRs: readonly string[];
}

/** A running lab. Disposing ends it and removes every trace. */
export class Lab implements AsyncDisposable {
  readonly name: string;
  readonly directory: string;
  readonly topology: Topology;
  readonly api: EmbeddedApi;
  readonly apiUrl: string;
  readonly underlay: Underlay;
  readonly nodes: readonly RunningNode[];
  readonly hasAgents: boolean;
  readonly #responder = new Responder();
  readonly #ends: (() => void)[];
  #isClosed = false;

  constructor(
    parts: Pick<Lab, "name" | "directory" | "topology" | "api" | "apiUrl" | "underlay" | "nodes" | "hasAgents">,
    ends: (() => void)[],
  ) {
    this.name = parts.name;
    this.directory = parts.directory;
    this.topology = parts.topology;
    this.api = parts.api;
    this.apiUrl = parts.apiUrl;
    this.underlay = parts.underlay;
    this.nodes = parts.nodes;
    this.hasAgents = parts.hasAgents;
    this.#ends = ends;
  }

  get objects(): ObjectClient {
    return this.api.objects;
  }

  /** Path of the administrator's kubeconfig for 127.0.0.1. */
  get kubeconfig(): string {
    return join(this.directory, "kubeconfig");
  }

  /** @throws Error for a name that no node has */
  node(name: string): RunningNode {
    const found = this.nodes.find((n) => n.node.name === name);
    if (found === undefined)
      throw new Error(
        `Lab "${this.name}" has no node "${name}": ${this.nodes.map((n) => n.node.name).join(", ")} are there`,
      );
    return found;
  }

  /** The agent's container on a node: to kill, hold back or watch it. undefined: not started yet. */
  agent(node: string) {
    const pods = this.objects.list({
      apiVersion: "v1",
      kind: "Pod",
      namespace: AGENT_SET.namespace,
      fieldSelector: `spec.nodeName=${node}`,
    });
    const pod = pods.find((p) =>
      p.metadata.ownerReferences?.some((o) => o.kind === "DaemonSet" && o.name === AGENT_SET.name),
    );
    return pod === undefined
      ? undefined
      : this.node(node).kubelet.worker(AGENT_SET.namespace, pod.metadata.name)?.container(AGENT_SET.container);
  }

  /** Resolves when every node can start pods, and every agent is ready. @throws Error that says what is missing, and what agents said last */
  async ready(timeoutMs: number): Promise<void> {
    const sets = { apiVersion: "apps/v1", kind: "DaemonSet", namespace: AGENT_SET.namespace };
    const areReady = (found: readonly KubeObject[]) =>
      found.some((s) => s.metadata.name === AGENT_SET.name && s["status"]?.numberReady === this.nodes.length);
    try {
      const nodes = (found: readonly KubeObject[]) => found.length > 0 && found.every(isReadyObject);
      await this.until({ apiVersion: "v1", kind: "Node" }, nodes, timeoutMs, "nodes to be ready");
      if (this.hasAgents) await this.until(sets, areReady, timeoutMs, "agents to be ready");
    } catch (cause) {
      throw new Error(`${(cause as Error).message}${this.#agentsLastWords()}`, { cause });
    }
  }

  #agentsLastWords(): string {
    const said = this.nodes.flatMap(({ node }) => {
      const agent = this.agent(node.name);
      if (agent === undefined || agent.facts().isReady) return [];
      const lines = (agent.log(false) ?? agent.log(true))?.lines().slice(-LAST_WORDS) ?? [];
      return [`Agent of ${node.name} said last:`, ...lines.map((l) => `  ${l.text.slice(0, 500)}`)];
    });
    return said.length === 0 ? "" : `\n${said.join("\n")}`;
  }

  /** Waits until what is selected satisfies the condition. @throws Error that names what was waited for, and the last state */
  until(
    selection: Selection,
    isDone: (objects: readonly KubeObject[]) => boolean,
    timeoutMs: number,
    what: string,
  ): Promise<readonly KubeObject[]> {
    return new Promise((resolve, reject) => {
      let isQueued = false;
      const look = () => {
        isQueued = false;
        const objects = this.objects.list(selection);
        if (isDone(objects)) finish(() => resolve(objects));
      };
      const timer = setTimeout(() => {
        const state = this.objects.list(selection).map(describeObject).join("\n  ");
        finish(() => reject(new Error(`Waited ${timeoutMs / 1000} s for ${what}. Now:\n  ${state || "nothing"}`)));
      }, timeoutMs);
      const poke = () => {
        if (isQueued) return;
        isQueued = true;
        setImmediate(look);
      };
      const end = this.objects.watch(selection, poke);
      const finish = (how: () => void) => {
        clearTimeout(timer);
        end();
        isQueued = true;
        how();
      };
      poke();
    });
  }

  /** Everything that probes can start from and go to: running pods with addresses of their own, nodes, the outside host. */
  endpoints(): Endpoint[] {
    const pods = this.objects.list({ apiVersion: "v1", kind: "Pod" }).flatMap((p) => this.#podEndpoint(p) ?? []);
    const nodes = this.nodes.map(
      ({ node, box }): Endpoint => ({
        name: node.name,
        kind: "node",
        netns: box.netns,
        addresses: addressesOf(node, this.topology.families),
        hasEcho: true,
      }),
    );
    const { v4, v6 } = this.topology.outside;
    return [
      ...pods,
      ...nodes,
      { name: "outside", kind: "outside", netns: this.underlay.outside.netns, addresses: [v4, v6], hasEcho: true },
    ];
  }

  #podEndpoint(pod: KubeObject): Endpoint | undefined {
    const { namespace = "default", name } = pod.metadata;
    const kubelet = this.nodes.find((n) => n.node.name === pod["spec"]?.nodeName)?.kubelet;
    const sandbox = kubelet?.worker(namespace, name)?.sandbox;
    if (sandbox?.network === undefined || pod["status"]?.phase !== "Running") return undefined;
    const images = ((pod["spec"]?.containers ?? []) as { image?: string }[]).map((c) => c.image ?? "");
    const hasEcho = images.some((i) => i === ECHO_IMAGE || i.startsWith(`${ECHO_IMAGE}:`));
    return { name: `${namespace}/${name}`, kind: "pod", netns: sandbox.netns, addresses: sandbox.addresses, hasEcho };
  }

  /** Answers on nodes and the outside host. */
  get responder(): Responder {
    return this.#responder;
  }

  /** Sends real packets between all endpoints. */
  probe(options: MatrixOptions): Promise<Matrix> {
    return probeMatrix(this.endpoints(), this.#responder, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const end of this.#ends) end();
    for (const n of this.nodes) n.kubelet.stop();
    this.#responder[Symbol.dispose]();
    await this.api[Symbol.asyncDispose]();
    const { wire, outside, api } = this.underlay;
    await Promise.all([...this.nodes.map((n) => n.box), wire, outside, api].map((b) => b.close()));
    removeDirectory(this.name);
  }
}

function isReadyObject(object: KubeObject): boolean {
  return ((object["status"]?.conditions ?? []) as { type: string; status: string }[]).some(
    (c) => c.type === "Ready" && c.status === "True",
  );
}

function describeObject(o: KubeObject): string {
  const s = o["status"] ?? {};
  const unready = ((s.conditions ?? []) as { type: string; status: string; message?: string }[]).find(
    (c) => c.type === "Ready" && c.status !== "True",
  );
  const waiting = ((s.containerStatuses ?? []) as { state?: { waiting?: { message?: string } } }[])
    .map((c) => c.state?.waiting?.message ?? "")
    .join(" ");
  const counts = s.desiredNumberScheduled === undefined ? "" : `${s.numberReady}/${s.desiredNumberScheduled} ready`;
  return [o.kind, `"${o.metadata.name}"`, s.phase, counts, waiting || unready?.message].filter(Boolean).join(" ");
}

/** The cluster CIDRs and mask sizes that a configuration asks for; none where agents are to give them. */
function podCIDRsOf(config: AgentConfig, index: number): string[] {
  if (config["allocateNodeCIDRs"] === true) return [];
  const clusters = Array.isArray(config["clusterCIDRs"]) ? config["clusterCIDRs"].map(String) : DEFAULT_CIDRS;
  const sizes = (config["nodeMaskSize"] ?? {}) as { ipv4?: number; ipv6?: number };
  return clusters
    .slice(0, 2)
    .map((c) => nodeCidr(prefix(c), index, { v4: sizes.ipv4 ?? 24, v6: sizes.ipv6 ?? 64 }).text);
}

/** Makes the API's listener in a box. */
function listenIn(box: Box, port: number): number {
  const addon = loadAddon();
  const fd = addon.socket(box.netns, SOCKET.AF_INET6, SOCKET.STREAM, 0);
  addon.setOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_REUSEADDR, 1);
  addon.bind(fd, "::", port);
  addon.listen(fd, 1024);
  return fd;
}

/**
 * Makes a lab. Its agents and nodes may not be ready yet: see {@link Lab.ready}.
 * @throws LabRunsError when one of the name runs; Error of whatever could not be made, with everything taken back
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const step = options.onStep ?? (() => {});
  const t = topology(options.nodes, options.mtuBytes, options.underlay);
  const directory = claim(options.name);
  const kubelets: Kubelet[] = [];
  await using undo = new AsyncDisposableStack();
  undo.defer(() => void removeDirectory(options.name));
  const onError = options.onError ?? (() => {});
  const find = (namespace: string, name: string) =>
    kubelets.map((k) => k.worker(namespace, name)).find((w) => w !== undefined);

  const api = await createEmbeddedApi({
    subjectAltNames: [t.api.v4, t.api.v6],
    kubelet: kubeletStreams(find),
    onError,
  });
  undo.use(api);
  for (const object of options.objects ?? []) api.objects.create(object);
  const [underlay, boxes] = await openAll(undo, t);
  await Promise.all(t.nodes.map((n, i) => plugNode(underlay.wire, at(boxes, i), n, t)));
  step(`${t.nodes.length} nodes, a router and a host outside`);
  await api.listen({ fd: listenIn(underlay.api, API_PORT) });
  const { port } = await api.listen({ host: "127.0.0.1", port: 0 });
  const apiUrl = `https://127.0.0.1:${port}`;
  await api.writeKubeconfig(join(directory, "kubeconfig"), apiUrl);
  writeState(options.name, {
    version: 1,
    bootId: bootId(),
    owner: self(),
    boxes: [underlay.wire, underlay.outside, underlay.api, ...boxes].flatMap((b) => [b.keeper, b.init]),
    isUp: true,
    kubeconfig: join(directory, "kubeconfig"),
  });
  step("the Kubernetes API");

  const ownConfig = options.agentConfig ?? {};
  const nodeKubeconfig = api.kubeconfig(`https://${t.families[0] === 6 ? `[${t.api.v6}]` : t.api.v4}:${API_PORT}`);
  const nodes = t.nodes.map((node, i): RunningNode => {
    const box = at(boxes, i);
    const podCIDRs = podCIDRsOf(ownConfig, node.index);
    if (options.conflist === undefined) installAgent(box, agentConfig(node.name, ownConfig), nodeKubeconfig);
    else
      writeFileSync(join(box.root, "etc/cni/net.d/10-lab.conflist"), JSON.stringify(options.conflist(node, podCIDRs)));
    const logDirectory = join(directory, "logs", node.name);
    mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
    const facts = { name: node.name, addresses: addressesOf(node, t.families), podCIDRs };
    const kubelet = new Kubelet({ node: facts, box, objects: api.objects, logDirectory, onError });
    kubelets.push(kubelet);
    return { node, box, kubelet, podCIDRs };
  });
  undo.defer(() => {
    for (const k of kubelets) k.stop();
  });
  for (const k of kubelets) k.start();
  const controllers = [
    runScheduler,
    runDaemonSets,
    runDeployments,
    runReplicaSets,
    runEndpointSlices,
    runMirrorEndpoints,
  ];
  const ends = controllers.map((run) => run(api.objects, onError));
  if (options.conflist === undefined) api.objects.create(agentSet());
  undo.move();
  return new Lab(
    {
      name: options.name,
      directory,
      topology: t,
      api,
      apiUrl,
      underlay,
      nodes,
      hasAgents: options.conflist === undefined,
    },
    ends,
  );
}

function at<T>(list: readonly T[], i: number): T {
  const item = list[i];
  if (item === undefined) throw new RangeError(`Index ${i} is outside 0 to ${list.length - 1}`);
  return item;
}

/** Makes all boxes at once; every one that came to be is closed when another failed. */
async function openAll(undo: AsyncDisposableStack, t: Topology): Promise<[Underlay, Box[]]> {
  const [underlay, ...boxes] = await Promise.allSettled([openUnderlay(t), ...t.nodes.map(openNodeBox)]);
  if (underlay.status === "fulfilled") {
    const { wire, outside, api } = underlay.value;
    undo.defer(() => Promise.all([wire, outside, api].map((b) => b.close())).then(() => {}));
  }
  for (const b of boxes) if (b.status === "fulfilled") undo.defer(() => b.value.close());
  const failed = [underlay, ...boxes].find((r) => r.status === "rejected");
  if (failed !== undefined || underlay.status === "rejected") throw failed?.reason ?? new Error("Cannot make the lab");
  return [underlay.value, boxes.flatMap((b) => (b.status === "fulfilled" ? [b.value] : []))];
}
