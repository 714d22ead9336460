/**
 * Keeps the kernel's policy as the cluster, the attachments and the rules want it: objects → facts and rules → classes →
 * writes, in the order in which each flow sees the old answer or the new one. Only what has changed is computed and written.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { type Addr, addr } from "../../net/addr.ts";
import { CLOSED_CLASSES, endpointMapRows } from "../../plan/endpoint.ts";
import type { MapRow } from "../../plan/rows.ts";
import { EMPTY_TABLES } from "../../policy/change.ts";
import type { Endpoint as PolicyEndpoint } from "../../policy/classes.ts";
import { type Compiler, createCompiler } from "../../policy/compile.ts";
import { FactTable } from "../../policy/fact-table.ts";
import { factsAt, worldFacts } from "../../policy/facts.ts";
import type { Failsafes } from "../../policy/failsafe.ts";
import {
  createRuleReader,
  type PolicyMode,
  type PolicyObjects,
  type PolicyRules,
  type RuleReader,
} from "../../policy/from-objects.ts";
import { type HostDevice, isHostKey } from "../../policy/host-parts.ts";
import type { FullTier } from "../../policy/order.ts";
import { createPartition } from "../../policy/partition.ts";
import type { List } from "../../policy/pieces.ts";
import { createPolicyOrder } from "../../policy/policy-order.ts";
import type { CompileLimits } from "../../policy/room.ts";
import type { Policy } from "../../policy/rule.ts";
import { type FoundRule, RuleBook } from "../../policy/rule-book.ts";
import type { ServiceTable } from "../../policy/service-index.ts";
import type { EndpointClasses, PolicyTables } from "../../policy/table.ts";
import { finish, type Mending } from "../compare/map-look.ts";
import { putEndpointRows } from "../endpoint-map.ts";
import { ClusterFacts, type FactObjects, LOCAL_RANK, ownerText } from "./cluster-facts.ts";
import type { NameSource } from "./event-names.ts";
import { HostEndpoints } from "./host-endpoints.ts";
import { type LocalEndpoint, LocalEndpoints, type PodTables } from "./local-endpoints.ts";
import { PolicyHits } from "./policy-hits.ts";
import { limitsOf } from "./policy-limits.ts";
import { type EndpointWrite, freeNumbers, PolicyMaps } from "./policy-maps.ts";

/** The tables of the cluster that policy follows from. */
export type PolicyTablesOfCluster = PolicyObjects & FactObjects & PodTables;

/** What may be set differently while an agent lives. */
export interface PolicySettings {
  /** Which pods are closed that no policy isolates. */
  readonly mode?: PolicyMode;
  readonly failsafes?: Failsafes;
}

/** What an engine begins with. */
export interface PolicyOptions extends PolicySettings {
  /** Name of this node. */
  readonly node: string;
  /** Each pod of this node has an object, and what has none is not known yet. */
  readonly hasPods: boolean;
}

/** An endpoint of which nothing is known, so that there are classes for it before it comes. */
const UNKNOWN: PolicyEndpoint = { key: "unknown", of: "pods", facts: worldFacts(addr("0.0.0.0")) };

/** What the engine can tell. The tables change with the next update. */
export interface PolicyState {
  readonly tables: PolicyTables;
  readonly limits: CompileLimits;
  /** Rows of identities. */
  readonly identityRows: number;
  readonly bank: number;
  /** Those in force and those that are staged. Some select no pod of this node. */
  readonly policies: List<Policy>;
  /** Ids of attachments whose pod or namespace is not known: they are closed. */
  readonly unknown: readonly number[];
  /** Host endpoints of this node that are enforced nowhere, with the reason. */
  readonly astray: readonly { readonly name: string; readonly reason: string }[];
  readonly changes: number;
  /** Of the last change that wrote something, milliseconds. */
  readonly lastChangeMs: number;
}

const NO_DEVICES: readonly HostDevice[] = [];

/** See the file's comment. */
export class PolicyEngine implements NameSource {
  /** How often rules decided. */
  readonly hits: PolicyHits;
  readonly #kernel: Kernel;
  readonly #partition = createPartition();
  readonly #facts = new FactTable((addr, facts) =>
    facts === undefined ? this.#partition.delete(addr) : this.#partition.set(factsAt(addr, facts)),
  );
  readonly #clusterFacts: ClusterFacts;
  readonly #locals: LocalEndpoints;
  readonly #hosts: HostEndpoints;
  readonly #node: string;
  #rules: RuleReader;
  readonly #book = new RuleBook();
  readonly #maps: PolicyMaps;
  readonly #compiler: Compiler;
  readonly #limits: CompileLimits;
  #tables: PolicyTables = EMPTY_TABLES;
  #lastRules: PolicyRules | undefined;
  readonly #order = createPolicyOrder();
  #ordered: readonly FullTier[] = [];
  #lastEndpoints: readonly Endpoint[] = [];
  #endpoints = new Map<string, Endpoint>();
  #endpointsByAddr = new Map<string, Endpoint>();
  #lastLocals: readonly (LocalEndpoint | undefined)[] = [];
  #localOwners = new Set<string>();
  #judgedLocals: readonly PolicyEndpoint[] = [];
  /** All that are judged: the same list as long as they are the same. */
  #judged: readonly PolicyEndpoint[] = [];
  #unknown: readonly number[] = [];
  /** A write has failed: what stands in the maps is not known. */
  #isDoubtful = false;
  /** An earlier agent's bank still stands there. */
  #hasPredecessor = true;
  #changes = 0;
  #lastChangeMs = 0;

  /**
   * Reads which numbers are free.
   * @throws KernelError when the programs are not loaded
   */
  constructor(kernel: Kernel, options: PolicyOptions) {
    const { bank, first } = freeNumbers(kernel);
    this.#kernel = kernel;
    this.#maps = new PolicyMaps(kernel, bank);
    this.#locals = new LocalEndpoints(options.hasPods);
    this.#hosts = new HostEndpoints(kernel);
    this.#node = options.node;
    this.#rules = createRuleReader(options.mode, options.failsafes);
    this.hits = new PolicyHits(kernel, this.#book);
    this.#limits = limitsOf(kernel.maps());
    this.#compiler = createCompiler(this.#limits, first);
    this.#clusterFacts = new ClusterFacts(this.#facts, options.node);
  }

  /** Takes effect with the next update. All policies are read anew, whether or not anything is different. */
  configure({ mode, failsafes }: PolicySettings): void {
    this.#rules = createRuleReader(mode, failsafes);
  }

  /** All that are in force, those that are staged included; undefined: nothing has been applied yet. */
  policies(): List<Policy> | undefined {
    return this.#lastRules?.policies;
  }

  /** Tables that the policies ask for beside those that all policies follow from. */
  wants(cluster: PolicyObjects): ReadonlySet<ServiceTable> {
    return this.#rules.read(cluster).wants;
  }

  /**
   * Brings the kernel up to date. What a failure left is put right by the next call.
   * @param endpoints attachments of this node, those that are being made included
   * @param devices of this node to the wire; the same list as long as they are the same
   * @throws KernelError
   */
  update(
    cluster: PolicyTablesOfCluster,
    endpoints: readonly Endpoint[],
    devices: readonly HostDevice[] = NO_DEVICES,
  ): void {
    const start = performance.now();
    const rules = this.#rules.read(cluster);
    this.#ordered = this.#order.update(rules.policies, rules.tiers);
    if (rules.overlays !== this.#lastRules?.overlays) this.#partition.overlay(rules.overlays);
    this.#lastRules = rules;
    this.#clusterFacts.update(cluster, rules.views);
    const hosts = this.#hosts.update({
      node: cluster.nodes.get(this.#node),
      endpoints: cluster.hostEndpoints,
      devices,
      views: rules.views,
      ordered: this.#ordered,
    });
    this.#takeLocals(this.#locals.update(endpoints, cluster, rules.views), endpoints);
    const judged = [UNKNOWN, ...hosts, ...this.#judgedLocals];
    const isSame = judged.length === this.#judged.length && judged.every((e, i) => e === this.#judged[i]);
    if (!isSame) this.#judged = judged;
    const writes = this.#compile();
    if (writes === 0) return;
    this.#changes++;
    this.#lastChangeMs = performance.now() - start;
  }

  /**
   * Compares the maps with what should be there, in steps between which updates may come. One that begins ends the one before.
   * @returns rows that were not as this agent left them
   * @throws KernelError
   */
  *mending(): Mending {
    // An entry that names a class which is about to go would close the node.
    const ofHosts = this.#hosts.mend();
    if (ofHosts > 0) this.#maps.announce();
    const found = yield* this.#maps.compare(() => this.#tables, this.#partition);
    if (found === undefined) return 0;
    const isOwn = !this.#hasPredecessor;
    this.#hasPredecessor = false;
    this.hits.clear();
    return isOwn ? ofHosts + found : 0;
  }

  /** Whether rows stand there that an earlier agent left: they go with the next comparison, and some may be named still. */
  get hasPredecessor(): boolean {
    return this.#hasPredecessor;
  }

  /** The classes of an attachment. Closed: its pod is not known. */
  classesOf(id: number): EndpointClasses {
    return this.#tables.endpoints.get(String(id)) ?? CLOSED_CLASSES;
  }

  /** Classes of what no policy selects, in a cluster that has none; undefined where it has. */
  openClasses(): EndpointClasses | undefined {
    if (this.#lastRules === undefined || this.#lastRules.policies.length > 0) return undefined;
    return this.#tables.endpoints.get(UNKNOWN.key);
  }

  /** Whether policy speaks of the node itself. */
  get isHostJudged(): boolean {
    return this.#hosts.isJudged;
  }

  ownerAt(addr: Addr): string | undefined {
    const owner = this.#facts.ownerAt(addr);
    return owner === undefined ? undefined : ownerText(owner);
  }

  endpointAt(addr: Addr): Endpoint | undefined {
    return this.#endpointsByAddr.get(addr.text);
  }

  rule(number: number): FoundRule | undefined {
    return this.#book.find(number);
  }

  whyClosed(id: number): string | undefined {
    const { endpoints, overflow } = this.#tables;
    const classes = endpoints.get(String(id));
    if (classes === undefined) return "its pod or its namespace is not known yet";
    return overflow.get(classes.ingress) ?? overflow.get(classes.egress);
  }

  state(): PolicyState {
    const partition = this.#partition;
    return {
      tables: this.#tables,
      limits: this.#limits,
      // Counted when somebody asks: the state is looked at with every change.
      get identityRows() {
        return partition.rowCount();
      },
      bank: this.#maps.bank,
      policies: this.#lastRules?.policies ?? [],
      unknown: this.#unknown,
      astray: this.#hosts.astray,
      changes: this.#changes,
      lastChangeMs: this.#lastChangeMs,
    };
  }

  #takeLocals(locals: readonly (LocalEndpoint | undefined)[], endpoints: readonly Endpoint[]): void {
    if (locals === this.#lastLocals && endpoints === this.#lastEndpoints) return;
    this.#lastLocals = locals;
    this.#lastEndpoints = endpoints;
    this.#endpoints = new Map(endpoints.map((e) => [String(e.id), e]));
    this.#endpointsByAddr = new Map(endpoints.flatMap((e) => e.addrs.map((a) => [a.text, e])));
    const judged: PolicyEndpoint[] = [];
    const owners = new Set<string>();
    const unknown: number[] = [];
    for (const [i, local] of locals.entries()) {
      if (local?.judged === undefined) {
        unknown.push(endpoints[i]?.id ?? 0);
        continue;
      }
      const owner = `endpoint ${local.id}`;
      owners.add(owner);
      this.#facts.put(owner, local.said, LOCAL_RANK);
      judged.push(local.judged);
    }
    for (const owner of this.#localOwners) if (!owners.has(owner)) this.#facts.delete(owner);
    this.#localOwners = owners;
    this.#unknown = unknown;
    this.#judgedLocals = judged;
  }

  /** @returns how many writes there were */
  #compile(): number {
    let writes = 0;
    const wasDoubtful = this.#isDoubtful;
    // Whatever is not finished below is in doubt.
    this.#isDoubtful = true;
    try {
      for (const { tables, change, goneRules } of this.#compiler.steps(this.#ordered, this.#judged, this.#partition)) {
        const { before, after } = change;
        const { put, removed } = this.#partition.changes();
        this.#tables = tables;
        this.#book.take(tables.rules, goneRules);
        writes += before.length + put.length + removed.length + after.length;
        this.#maps.write(before, (of) => this.#putClasses(of));
        this.#maps.writeIdentities(put, removed);
        this.#maps.write(after, (of) => this.#putClasses(of));
      }
      if (wasDoubtful) finish(this.mending());
      this.#isDoubtful = false;
    } finally {
      if (writes > 0) this.#maps.announce();
    }
    return writes;
  }

  /** Attachments that are being made write their entries themselves; those that are gone have none. All take effect at once. */
  #putClasses(writes: readonly EndpointWrite[]): void {
    const rows: MapRow[] = [];
    let hasHosts = false;
    for (const { key, classes } of writes) {
      if (isHostKey(key)) {
        this.#hosts.put(key, classes);
        hasHosts = true;
      }
      const e = this.#endpoints.get(key);
      if (e?.state !== "ready" || e.entryIfindex === undefined || classes === undefined) continue;
      rows.push(...endpointMapRows(e, e.entryIfindex, classes));
    }
    // Flows are judged by it from now on, whatever is left to be cleaned up.
    if (rows.length > 0) putEndpointRows(this.#kernel, rows);
    else if (hasHosts) this.#maps.announce();
  }
}
