/**
 * Keeps the kernel's services as the cluster wants them on this node: objects → plans → tables → writes, in the order in
 * which a reader finds the old answer or the new one. Only what has changed is computed and written.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import type { Node } from "../../model/node.ts";
import type { Addr } from "../../net/addr.ts";
import { type Prefix, prefixHas } from "../../net/prefix.ts";
import { type LocalHealth, localHealthOf } from "../../service/health.ts";
import { ServiceObjects, type ServiceObjectTables } from "../../service/objects.ts";
import {
  type Algorithm,
  type Forwarding,
  planService,
  type ServiceContext,
  type ServicePlan,
} from "../../service/service-plan.ts";
import { ServiceTables, type TableLimits } from "../../service/tables.ts";
import type { Table } from "../../store/table.ts";
import { finish, type Mending } from "../compare/map-look.ts";
import { ServiceMaps } from "./service-maps.ts";

/** What the agent's configuration says of services. */
export interface ServiceOptions {
  /** Name of this node. */
  readonly node: string;
  readonly algorithm: Algorithm;
  readonly maglevTableSize: number;
  readonly forwarding: Forwarding;
  /** Where node ports are open; empty: on all addresses of the node. */
  readonly nodePortAddresses: readonly Prefix[];
}

/** The tables of the cluster that services follow from. */
export interface ServiceCluster extends ServiceObjectTables {
  readonly nodes: Table<Node>;
}

const ZONE = "topology.kubernetes.io/zone";
/** Where nodes have their zone before 1.17. */
const OLD_ZONE = "failure-domain.beta.kubernetes.io/zone";

function nodePortAddrs(node: Node | undefined, prefixes: readonly Prefix[]): readonly Addr[] | undefined {
  if (prefixes.length === 0) return undefined;
  const all = [...(node?.internalIps ?? []), ...(node?.externalIps ?? [])];
  return all.filter((a) => prefixes.some((p) => prefixHas(p, a)));
}

/** See the file's comment. */
export class ServiceEngine {
  #options: ServiceOptions;
  readonly #maps: ServiceMaps;
  readonly #objects = new ServiceObjects();
  readonly #tables: ServiceTables;
  /** Services whose health is asked for: few among thousands. */
  readonly #healthChecked = new Set<string>();
  readonly #issues = new Map<string, readonly string[]>();
  #context: ServiceContext;
  /** Text of what the context was made from. */
  #contextText = "";
  /** What stands in the maps is not known: at the start, and after a failure. */
  #isDoubtful = true;
  #hasGone = false;

  /**
   * Reads what an earlier agent left.
   * @throws KernelError when the programs are not loaded
   */
  constructor(kernel: Kernel, options: ServiceOptions) {
    this.#options = options;
    this.#maps = new ServiceMaps(kernel);
    this.#tables = new ServiceTables(this.#maps.limits(), this.#maps.adopted());
    this.#context = this.#makeContext(undefined);
  }

  get tables(): ServiceTables {
    return this.#tables;
  }

  get limits(): TableLimits {
    return this.#tables.limits;
  }

  get objects(): ServiceObjects {
    return this.#objects;
  }

  /** What of services cannot be done as they say, by service. */
  get issues(): ReadonlyMap<string, readonly string[]> {
    return this.#issues;
  }

  /**
   * Brings the kernel up to date. What a failure left is put right by the next call.
   * @param options as they are now; default: as before
   * @returns how many services were looked at
   * @throws KernelError
   */
  update(cluster: ServiceCluster, options: ServiceOptions = this.#options): number {
    this.#options = options;
    const hasMoved = this.#takeContext(cluster.nodes.get(this.#options.node));
    const changed = this.#objects.take(cluster);
    const names = hasMoved ? new Set([...changed, ...this.#objects.names()]) : changed;
    // In an order that is the same in every agent, so that numbers are.
    for (const name of [...names].sort()) this.#apply(name);
    if (names.size === 0 && !this.#isDoubtful) return 0;
    // What is not finished below is in doubt.
    const wasDoubtful = this.#isDoubtful;
    this.#isDoubtful = true;
    this.#write(wasDoubtful);
    this.#isDoubtful = false;
    return names.size;
  }

  /**
   * Compares the maps with what should be there, in steps between which updates may come. One that begins ends the one before.
   * @returns rows that were not as this agent left them
   * @throws KernelError
   */
  *mending(): Mending {
    return (yield* this.#maps.compare(this.#tables)) ?? 0;
  }

  /** Whether a backend has gone since the last call. */
  takeGone(): boolean {
    const had = this.#hasGone;
    this.#hasGone = false;
    return had;
  }

  /** What is to be answered at `healthCheckNodePort`. */
  localHealth(): readonly LocalHealth[] {
    const { node } = this.#options;
    return [...this.#healthChecked].flatMap((name) => {
      const service = this.#objects.service(name);
      return (service && localHealthOf(service, this.#objects.slices(name), node)) ?? [];
    });
  }

  /** A service as it is on this node; undefined: there is none. */
  plan(name: string): ServicePlan | undefined {
    const service = this.#objects.service(name);
    return service === undefined ? undefined : planService(service, this.#objects.slices(name), this.#context);
  }

  #apply(name: string): void {
    const plan = this.plan(name);
    this.#tables.apply(name, plan);
    if (this.#objects.service(name)?.healthCheckNodePort === undefined) this.#healthChecked.delete(name);
    else this.#healthChecked.add(name);
    if (plan === undefined || plan.issues.length === 0) this.#issues.delete(name);
    else this.#issues.set(name, plan.issues);
  }

  #write(wasDoubtful: boolean): void {
    let writes = this.#tables.commit();
    // Where something has gone, others may find room.
    if (writes.hasGone && this.#tables.overflow.size > 0 && !wasDoubtful) {
      this.#maps.write(writes);
      for (const name of this.#tables.overflow) this.#apply(name);
      this.#hasGone = true;
      writes = this.#tables.commit();
    }
    if (wasDoubtful) finish(this.mending());
    else this.#maps.write(writes);
    this.#hasGone ||= writes.hasGone || wasDoubtful;
  }

  /** @returns whether services may follow from it otherwise */
  #takeContext(node: Node | undefined): boolean {
    const context = this.#makeContext(node);
    const { place, nodePortAddrs: addrs, algorithm, maglevSize, forwarding } = context;
    const text = `${place.zone} ${addrs?.map((a) => a.text).join() ?? "all"} ${algorithm} ${maglevSize} ${forwarding}`;
    if (text === this.#contextText) return false;
    this.#contextText = text;
    this.#context = context;
    return true;
  }

  #makeContext(node: Node | undefined): ServiceContext {
    const { node: name, algorithm, maglevTableSize, forwarding, nodePortAddresses } = this.#options;
    return {
      place: { node: name, zone: node?.labels.get(ZONE) ?? node?.labels.get(OLD_ZONE) ?? "" },
      nodePortAddrs: nodePortAddrs(node, nodePortAddresses),
      algorithm,
      maglevSize: maglevTableSize,
      forwarding,
    };
  }
}

/** Empties the maps of services: for an agent that is not to have any. @returns rows that were there */
export function clearServices(kernel: Kernel): number {
  return new ServiceMaps(kernel).clear();
}
