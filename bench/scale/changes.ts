/** Pods that come, go and get other labels, as fast as is asked, each timed until the node's maps say so. */

import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_PATHS } from "../../src/agent/config/default-paths.ts";
import { openNodeKernel } from "../../src/agent/open-node.ts";
import type { ObjectClient } from "../../src/cluster/embedded/types.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { addr } from "../../src/net/addr.ts";
import { bytesKey } from "../../src/net/bytes-key.ts";
import { decodePolicyClass } from "../../src/net/gen/bpf-maps.ts";
import { hostPrefix } from "../../src/net/prefix.ts";
import { identityMapKey, POLICY_MAPS } from "../../src/plan/policy-rows.ts";
import { createRandom } from "../../src/policy/testing/random.ts";
import { type PodPlace, placeOf, podObject, podStatusOf, podsOfNode, type ScaleSize, sliceObject } from "./cluster.ts";

/** How much is to change. */
export interface ChangeOrder {
  readonly perSecond: number;
  readonly seconds: number;
}

/** What changes took. */
export interface ChangeResult {
  /** Milliseconds from before the write to the API until the kernel's map said so. */
  readonly ms: readonly number[];
  /** Changes that it did not say within the patience. */
  readonly late: number;
  /** For how long changes were made, and how many. */
  readonly tookMs: number;
  readonly made: number;
}

/** What is changed. */
interface Cluster {
  readonly size: ScaleSize;
  readonly objects: ObjectClient;
  /** Uids of the ReplicaSets and Services by number. */
  readonly owners: readonly string[];
  readonly services: readonly string[];
  /** Pods of each service. */
  readonly pods: PodPlace[][];
}

/** A change that the map has not shown yet. */
interface Pending {
  readonly key: Uint8Array;
  readonly before: string;
  readonly startMs: number;
}

const PATIENCE_MS = 5_000;
/** Between two looks at the map. */
const LOOK_MS = 1;
const WAYS = ["create", "delete", "label"] as const;

/** See the file's comment. */
export class Changes {
  readonly #cluster: Cluster;
  readonly #random = createRandom(7);
  #nextPod: number;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#nextPod = cluster.size.pods + podsOfNode(cluster.size);
  }

  /** Makes changes at a steady rate, whether or not earlier ones have arrived. */
  async run({ perSecond, seconds }: ChangeOrder): Promise<ChangeResult> {
    using kernel = openNodeKernel(DEFAULT_PATHS.pins);
    const bank = bankOf(kernel);
    let pending: Pending[] = [];
    const ms: number[] = [];
    let late = 0;
    let made = 0;
    const total = perSecond * seconds;
    const start = performance.now();
    let endMs = start;
    while (made < total || pending.length > 0) {
      const now = performance.now();
      for (const due = ((now - start) * perSecond) / 1000; made < due && made < total; made++) {
        pending.push(this.#one(WAYS[made % WAYS.length] ?? "label", (place) => watch(kernel, bank, place)));
        endMs = performance.now();
      }
      pending = pending.filter((p) => {
        const waited = performance.now() - p.startMs;
        const isThere = identityAt(kernel, p.key) !== p.before;
        if (isThere) ms.push(waited);
        else if (waited > PATIENCE_MS) late++;
        return !isThere && waited <= PATIENCE_MS;
      });
      await sleep(LOOK_MS);
    }
    return { ms, late, made, tookMs: endMs - start };
  }

  #one(way: (typeof WAYS)[number], begin: (place: PodPlace) => Pending): Pending {
    const { size, objects, owners, pods } = this.#cluster;
    if (way === "create") {
      const place = placeOf(size, this.#nextPod++);
      const ref = refOf(place);
      objects.create(podObject(place, owners[place.service] ?? ""));
      const pending = begin(place);
      objects.patch(ref, JSON.parse(JSON.stringify({ status: podStatusOf(place) })), "status");
      pods[place.service]?.push(place);
      this.#putSlice(place.service);
      return pending;
    }
    const service = this.#draw();
    const own = pods[service] as PodPlace[];
    const at = this.#random.below(own.length);
    const place = own[at] as PodPlace;
    if (way === "label") {
      const pending = begin(place);
      // Whether it is a frontend decides who lets it in.
      const tier = objects.get(refOf(place))?.metadata.labels?.["tier"] === "frontend" ? "data" : "frontend";
      objects.patch(refOf(place), { metadata: { labels: { tier } } });
      return pending;
    }
    objects.delete(refOf(place));
    own.splice(at, 1);
    this.#putSlice(service);
    const pending = begin(place);
    objects.delete(refOf(place), { graceSeconds: 0 });
    return pending;
  }

  /** A service that has pods elsewhere. */
  #draw(): number {
    const { size, pods } = this.#cluster;
    for (;;) {
      const service = this.#random.below(size.services);
      if ((pods[service]?.length ?? 0) > 0) return service;
    }
  }

  #putSlice(service: number): void {
    const { size, objects, services, pods } = this.#cluster;
    objects.update(sliceObject(size, service, services[service] ?? "", pods[service] ?? []));
  }
}

function refOf({ namespace, name }: PodPlace) {
  return { apiVersion: "v1", kind: "Pod", namespace, name };
}

/** The bank that the running agent's classes name. */
function bankOf(kernel: Kernel): number {
  const [row] = kernel.mapRows(POLICY_MAPS.classes);
  if (row === undefined) throw new Error("Cannot watch the maps: the agent has written no policy");
  return decodePolicyClass(row.value).bank;
}

/** An address whose own entry is gone has that of the prefix around it: another identity, too. */
function identityAt(kernel: Kernel, key: Uint8Array): string {
  return bytesKey(kernel.mapGet(POLICY_MAPS.identities, key) ?? new Uint8Array());
}

function watch(kernel: Kernel, bank: number, place: PodPlace): Pending {
  const key = identityMapKey(bank, hostPrefix(addr(place.ips[0])));
  return { key, before: identityAt(kernel, key), startMs: performance.now() };
}
