/** Policy's way through an agent without a kernel: objects → tables → rules → classes → writes into maps in memory. */

import { PolicyEngine } from "../../src/agent/policy/policy-engine.ts";
import { FakeSource } from "../../src/cluster/fake-source.ts";
import type { ClusterTable } from "../../src/cluster/source.ts";
import { type AnyRow, TABLE_KINDS } from "../../src/cluster/tables.ts";
import { createFakeKernel, type FakeKernel } from "../../src/kernel/fake/fake-kernel.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import { createInterner } from "../../src/model/intern.ts";
import type { Pod } from "../../src/model/pod.ts";
import { mac } from "../../src/net/mac.ts";
import type { RowChange } from "../../src/store/table.ts";
import { ThreadTime } from "../thread-time.ts";
import type { ClusterEvent } from "./changes.ts";
import { LOCAL_NODE, type SyntheticCluster } from "./cluster.ts";
import type { RawObject } from "./policies.ts";

const KINDS = new Map(TABLE_KINDS.map((k) => [k.table, k]));

/** Of one update. */
export interface UpdateCost {
  readonly ms: number;
  /** Of the thread alone: what else the machine does is not in it. */
  readonly cpuMs: number;
}

/** An engine that follows a source filled by hand. */
export class BenchEngine {
  readonly source = new FakeSource();
  readonly engine: PolicyEngine;
  readonly #interner = createInterner();
  readonly #endpoints: readonly Endpoint[];

  constructor(cluster: SyntheticCluster, kernel: FakeKernel = createFakeKernel()) {
    kernel.loadPrograms(new Uint8Array(), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
    this.change(cluster.objects);
    this.#endpoints = [...this.source.snapshot().tables.pods].filter((p) => p.nodeName === LOCAL_NODE).map(endpointOf);
    this.engine = new PolicyEngine(kernel, { node: LOCAL_NODE, hasPods: true });
  }

  /** Changes objects, as a batch of events does. */
  change(objects: readonly RawObject[]): void {
    const changes = new Map<ClusterTable, RowChange<AnyRow>[]>();
    for (const { table, object } of objects) {
      const row = this.#parse(table, object);
      const of = changes.get(table) ?? [];
      of.push(row);
      changes.set(table, of);
    }
    this.source.change(Object.fromEntries(changes));
  }

  /** The same for what happens to one. */
  happen({ put, gone }: ClusterEvent): void {
    if (put !== undefined) this.change([put]);
    if (gone !== undefined) this.source.change({ [gone.table]: [{ key: gone.key, row: undefined }] });
  }

  /** Follows what has changed. */
  update(): UpdateCost {
    const time = new ThreadTime();
    const start = performance.now();
    this.engine.update(this.source.snapshot().tables, this.#endpoints);
    const ms = performance.now() - start;
    return { ms, cpuMs: time.cpuMs() };
  }

  #parse(table: ClusterTable, object: object): RowChange<AnyRow> {
    const kind = KINDS.get(table);
    const parsed = kind?.parse(object, this.#interner);
    if (kind === undefined || parsed?.ok !== true)
      throw new Error(`Cannot read an object of "${table}": ${JSON.stringify([object, parsed])}`);
    return { key: kind.keyOf(parsed.value), row: parsed.value };
  }
}

function endpointOf(pod: Pod, i: number): Endpoint {
  return {
    id: i + 1,
    network: "twill",
    containerId: `c-${i}`,
    ifname: "eth0",
    netnsPath: `/run/netns/${i}`,
    netnsId: `4:${i}`,
    hostIfname: `tw${i}`,
    hostIfindex: 100 + i,
    addrs: pod.podIps,
    mac: mac("02:00:00:00:00:01"),
    mtuBytes: 1450,
    entryIfindex: 100 + i,
    download: undefined,
    upload: undefined,
    hostPorts: [],
    podNamespace: pod.namespace,
    podName: pod.name,
    podUid: undefined,
    state: "ready",
    createdAtMs: 0,
  };
}
