/**
 * A kubelet small enough for a lab: registers its node, keeps saying whether its network is ready, and runs the pods
 * that are bound to it, through the CNI configuration and the plugins that it finds on the node.
 */

import type { KubeObject, ObjectClient } from "../../cluster/embedded/types.ts";
import type { Box } from "../box.ts";
import { checkNetwork, collectNetwork, networkStatus } from "./cni.ts";
import { type NodeFacts, nodeConditions, nodeDescription, nodeObject } from "./node-object.ts";
import { nodeNetwork, pluginRunner } from "./sandbox.ts";
import { PodWorker, type WorkerContext } from "./worker.ts";

/** How a kubelet is made. */
export interface KubeletOptions {
  readonly node: NodeFacts;
  readonly box: Box;
  readonly objects: ObjectClient;
  readonly logDirectory: string;
  readonly onError: (error: unknown, doing: string) => void;
}

/** Sandboxes that are made at once on one node. */
const PARALLEL_STARTS = 8;
const HEARTBEAT_MS = 10_000;
/** While the network is not ready, it is looked at this often: everything waits for it. */
const WAITING_MS = 50;

/** Lets at most `size` works run at once; others wait in order. */
export function limiter(size: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = size;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

/** The kubelet of one node. */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #context: WorkerContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #conditionTimes = new Map<string, { status: string; at: string }>();
  #endWatch: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #notReady: string | undefined = "not looked at yet";
  readonly #whenReady = Promise.withResolvers<void>();

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#context = {
      nodeName: options.node.name,
      box: options.box,
      objects: options.objects,
      hostIPs: options.node.addresses,
      logDirectory: options.logDirectory,
      limit: limiter(PARALLEL_STARTS),
      warn: (pod, reason, message) => this.#warn(pod, reason, message),
    };
  }

  get name(): string {
    return this.#options.node.name;
  }

  get box(): Box {
    return this.#options.box;
  }

  /** Why pods cannot start here now; undefined: they can. */
  get notReady(): string | undefined {
    return this.#notReady;
  }

  /** Resolves when the node's network has become ready for the first time. */
  get ready(): Promise<void> {
    return this.#whenReady.promise;
  }

  /** Registers the node and begins to run pods. */
  start(): void {
    this.#options.objects.apply(nodeObject(this.#options.node));
    this.#writeStatus();
    const selection = { apiVersion: "v1", kind: "Pod", fieldSelector: `spec.nodeName=${this.name}` };
    this.#endWatch = this.#options.objects.watch(selection, (event) => {
      const key = `${event.object.metadata.namespace}/${event.object.metadata.name}`;
      this.#onPod(key, event.object, event.type === "DELETED");
    });
    void this.#beat();
  }

  /** The pod that runs here under this name. */
  worker(namespace: string, name: string): PodWorker | undefined {
    return this.#workers.get(`${namespace}/${name}`);
  }

  /** Asks the plugins whether a pod's attachment is as they made it. @throws CniFailure of the first that complains */
  async check(namespace: string, name: string): Promise<void> {
    const network = this.worker(namespace, name)?.sandbox?.network;
    if (network === undefined) throw new Error(`Pod "${namespace}/${name}" has no attachment on ${this.name}`);
    await checkNetwork(pluginRunner(this.box), network.list, network.attachment, network.result);
  }

  /** Lets the plugins drop what belongs to no pod that runs here, as a runtime does after its own restart. */
  async collect(): Promise<void> {
    const networks = [...this.#workers.values()].flatMap((w) => w.sandbox?.network ?? []);
    const valid = networks.map((n) => ({ containerID: n.attachment.containerId, ifname: n.attachment.ifname }));
    const list = nodeNetwork(this.box);
    if (list.ok) await collectNetwork(pluginRunner(this.box), list.value, valid);
  }

  /** Stops working; pods end with the node's box. */
  stop(): void {
    this.#isStopped = true;
    this.#endWatch?.();
    clearTimeout(this.#timer);
    for (const w of this.#workers.values()) w.stop();
  }

  #onPod(key: string, pod: KubeObject, isDeleted: boolean): void {
    if (this.#isStopped) return;
    const worker = this.#workers.get(key);
    if (worker !== undefined && worker.uid === pod.metadata.uid) {
      worker.update(isDeleted ? undefined : pod);
      return;
    }
    // A pod of the same name came before its predecessor was gone: the old one first.
    worker?.update(undefined);
    if (isDeleted) return;
    const next = new PodWorker(this.#context, pod);
    this.#workers.set(key, next);
    void next.done.then(() => {
      if (this.#workers.get(key) === next) this.#workers.delete(key);
    });
  }

  async #beat(): Promise<void> {
    if (this.#isStopped) return;
    const before = this.#notReady;
    this.#notReady = await this.#lookAtNetwork();
    if (this.#isStopped) return;
    try {
      this.#writeStatus();
    } catch (error) {
      this.#options.onError(error, `write the status of node "${this.name}"`);
    }
    if (this.#notReady === undefined && before !== undefined) this.#whenReady.resolve();
    this.#timer = setTimeout(() => void this.#beat(), this.#notReady === undefined ? HEARTBEAT_MS : WAITING_MS);
  }

  async #lookAtNetwork(): Promise<string | undefined> {
    const list = nodeNetwork(this.#options.box);
    if (!list.ok) return `container runtime network not ready: ${list.error}`;
    try {
      await networkStatus(pluginRunner(this.#options.box), list.value);
      return undefined;
    } catch (error) {
      return `container runtime network not ready: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #lastTransition(type: string, status: string): string | undefined {
    const known = this.#conditionTimes.get(type);
    if (known?.status === status) return known.at;
    this.#conditionTimes.set(type, { status, at: `${new Date().toISOString().slice(0, 19)}Z` });
    return undefined;
  }

  #writeStatus(): void {
    const ref = { apiVersion: "v1", kind: "Node", name: this.name };
    const own = nodeConditions(this.#notReady, Date.now(), (type, status) => this.#lastTransition(type, status));
    // Conditions of others (NetworkUnavailable is the agent's) stay.
    const others = ((this.#options.objects.get(ref)?.["status"]?.conditions ?? []) as { type: string }[]).filter(
      (c) => !own.some((o) => o.type === c.type),
    );
    const status = { ...nodeDescription(this.#options.node), conditions: [...others, ...own] };
    this.#options.objects.patch(ref, { status: JSON.parse(JSON.stringify(status)) }, "status");
    this.#options.objects.apply({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: this.name, namespace: "kube-node-lease" },
      spec: {
        holderIdentity: this.name,
        leaseDurationSeconds: 40,
        renewTime: new Date().toISOString().replace("Z", "000Z"),
      },
    });
  }

  #warn(pod: KubeObject, reason: string, message: string): void {
    const { namespace = "default", name, uid } = pod.metadata;
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    try {
      // One event for each pod and reason, counted up.
      const eventName = `${name}.${reason.toLowerCase()}`.slice(0, 253);
      const ref = { apiVersion: "v1", kind: "Event", namespace, name: eventName };
      const known = this.#options.objects.get(ref);
      this.#options.objects.apply({
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: eventName, namespace },
        involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
        type: "Warning",
        reason,
        message,
        source: { component: "kubelet", host: this.name },
        firstTimestamp: known?.["firstTimestamp"] ?? now,
        lastTimestamp: now,
        count: Number(known?.["count"] ?? 0) + 1,
      });
    } catch (error) {
      this.#options.onError(error, `write an event of pod "${namespace}/${name}"`);
    }
  }
}
