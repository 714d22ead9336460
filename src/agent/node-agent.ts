/**
 * The agent of one node, without its servers: keeps the kernel as the cluster, the ledger and the configuration want it.
 * Everything that it works on comes from outside, so that tests give it a kernel in memory.
 */

import type { Issue } from "../base/issue.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { EventNames } from "../flow/told.ts";
import { makePool, type Pool } from "../ipam/pool.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { addrFromBytes } from "../net/addr.ts";
import { decodeNode, decodeNodeKey } from "../net/gen/bpf-maps.ts";
import type { Mac } from "../net/mac.ts";
import { type ClusterInput, type ClusterRows, rememberingClusterRows } from "../plan/cluster-rows.ts";
import { describeMapRow } from "../plan/describe.ts";
import { planEndpoint } from "../plan/endpoint.ts";
import { isPodLink, MIN_MTU_BYTES } from "../plan/names.ts";
import { type EndpointRows, type NodePlan, type NodePlanInput, planNode } from "../plan/node-plan.ts";
import type { EndpointClasses } from "../policy/table.ts";
import type { NodeNet } from "../routing/node-net.ts";
import { bump, newCounts, runnerEvents } from "./agent-counts.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { ClusterView, type Look } from "./cluster-view.ts";
import type { NodeContext, NodeSettings } from "./cni/node-context.ts";
import { sweep } from "./cni/sweep.ts";
import { tellSweep } from "./cni/sweep-log.ts";
import { cpuMs, MapLook } from "./compare/map-look.ts";
import type { AgentConfig } from "./config/config.ts";
import { devicesOf } from "./endpoint-devices.ts";
import { lostIssues, strayIssues } from "./endpoint-words.ts";
import { HostPorts } from "./host-ports.ts";
import type { Log } from "./log.ts";
import { LookPace } from "./look-pace.ts";
import { eventNames } from "./policy/event-names.ts";
import { PolicyControl } from "./policy/policy-control.ts";
import { rememberingPools, reservedIn } from "./pool-cidrs.ts";
import { Programs } from "./programs.ts";
import { localDamage, notReadyReasons } from "./readiness.ts";
import { tracksConnections } from "./reconcile/facts.ts";
import { messageOf } from "./reconcile/failures.ts";
import { LinksView } from "./reconcile/links-view.ts";
import { Reconciler } from "./reconcile/reconciler.ts";
import type { RunReport } from "./reconcile/status.ts";
import { WireDevices } from "./reconcile/wire-devices.ts";
import { ServiceControl } from "./service/service-control.ts";

/** What an agent works on. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly kernel: Kernel;
  readonly ledger: Ledger;
  readonly source: ClusterSource;
  readonly memory: Pick<ClusterMemory, "load" | "save">;
  readonly log: Log;
  /** What {@link PolicyControl.openClasses} was when an earlier agent of this boot ended. */
  readonly openClassesBefore?: EndpointClasses | undefined;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  /** A random unicast, locally administered address. */
  readonly newMac: () => Mac;
}

/** After a run that could not even begin. */
const FAILED_RUN_MS = 1000;

/** See the file's comment. */
export class NodeAgent {
  readonly counts = newCounts();
  readonly #parts: AgentParts;
  readonly #reconciler: Reconciler;
  readonly #links: LinksView;
  readonly #cluster: ClusterView;
  readonly #withPools = rememberingPools();
  readonly #clusterRows: (input: ClusterInput) => ClusterRows;
  readonly #programs: Programs;
  readonly policy: PolicyControl;
  readonly services: ServiceControl;
  readonly hostPorts: HostPorts;
  /** Names for what the data plane tells. */
  readonly names: EventNames;
  #runProblem: string | undefined;
  #failedRuns = 0;
  #report: RunReport | undefined;
  #plan: NodePlan | undefined;
  #look: Look;
  /** The large maps of policy and services: compared in steps. */
  readonly #maps: MapLook;
  readonly #pace = new LookPace(() => this.#parts.config.resyncMs);
  #lost: Endpoint[] = [];
  #isTracked = false;
  readonly #wire: WireDevices;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { kernel, config, log } = parts;
    this.#programs = new Programs({ kernel, log, pinDirectory: config.paths.pins, mapSizes: config.mapSizes });
    this.#cluster = new ClusterView({ ...parts, nodeName: parts.config.nodeName });
    this.#look = this.#cluster.look();
    this.#clusterRows = rememberingClusterRows(() => this.nodeIds());
    this.services = new ServiceControl(parts);
    const owners = () => this.services.engine?.tables;
    this.hostPorts = new HostPorts({ kernel, ledger: parts.ledger, nodeName: config.nodeName, owners });
    this.#links = new LinksView(parts.kernel);
    this.#wire = new WireDevices(parts.kernel, this.#links);
    const isLoaded = () => this.#programs.tag !== undefined;
    this.policy = new PolicyControl({ ...parts, wire: this.#wire, isLoaded });
    this.names = eventNames(() => this.policy.engine);
    this.#maps = new MapLook(this.counts, (ms) => this.#pace.cost(ms));
    this.#reconciler = new Reconciler(parts.kernel, this.#links, describeMapRow, runnerEvents(this.counts, log));
  }

  /** Loads programs and maps, adopting what is pinned; see {@link Programs}. */
  loadPrograms(object: Uint8Array): void {
    this.#programs.load(object, this.#parts.nowMs());
  }

  /**
   * Looks at everything and puts right what is not. Large maps are looked at when their wanted rows have changed, and
   * when the resync period has passed; a look at those of policy and services begins only, see {@link compare}.
   * @param wantsAll looks at them in any case, from the beginning
   * @returns wall clock at which to look again, milliseconds
   */
  run(wantsAll = false): number {
    const { nowMs, log, ledger } = this.#parts;
    const startMs = nowMs();
    const isFull = wantsAll || startMs >= this.#pace.nextMs;
    const start = performance.now();
    const cpuStartMs = cpuMs();
    try {
      ledger.exclusive(() => this.#runLocked(startMs, isFull, wantsAll));
      if (isFull) this.#pace.begin(startMs);
      if (isFull) this.#pace.cost(cpuMs() - cpuStartMs);
      this.#runProblem = undefined;
      this.#failedRuns = 0;
    } catch (cause) {
      this.#runProblem = messageOf(cause);
      this.#failedRuns++;
      log.error({ error: cause }, "cannot reconcile");
    }
    this.counts.runs++;
    this.counts.lastRunMs = nowMs();
    this.counts.lastDurationMs = performance.now() - start;
    const againMs = this.#runProblem === undefined ? this.#pace.nextMs : startMs + FAILED_RUN_MS;
    return Math.min(againMs, this.#programs.retryAtMs, this.#report?.retryAtMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether a look at the large maps of policy and services is going on. */
  get isComparing(): boolean {
    return this.#maps.isGoing;
  }

  /** Goes on with it, at least one step of some milliseconds, and more until it is time. @returns whether nothing is left */
  compare(isTime: () => boolean): boolean {
    return this.#maps.step(isTime);
  }

  /** Reasons why pods cannot be attached; empty when they can. */
  notReady(): readonly string[] {
    return notReadyReasons({
      programsProblem: this.#programs.problem,
      waitingFor: this.#look.waitingFor,
      runProblem: this.#runProblem,
      failedRuns: this.#failedRuns,
      report: this.#report,
    });
  }

  /** What is not right but keeps no pod from being attached. */
  issues(): readonly Issue[] {
    const issues: Issue[] = [...(this.#plan?.issues ?? [])];
    const { issue } = this.#programs;
    if (issue !== undefined)
      issues.push({
        path: "programs",
        message: `Those of an earlier agent go on, since its own cannot be used: ${issue}`,
      });
    if (this.#runProblem !== undefined) issues.push({ path: "reconcile", message: this.#runProblem });
    if (this.policy.problem !== undefined) issues.push({ path: "policy", message: this.policy.problem });
    if (this.services.problem !== undefined) issues.push({ path: "services", message: this.services.problem });
    for (const message of this.services.healthIssues) issues.push({ path: "services.healthCheckNodePort", message });
    issues.push(...this.hostPorts.issues(), ...this.policy.overflowIssues);
    for (const { name, reason } of this.policy.state?.astray ?? [])
      issues.push({ path: `policy.hostEndpoints.${name}`, message: reason });
    for (const text of localDamage(this.#report)) issues.push({ path: "reconcile", message: text });
    const { ledger } = this.#parts;
    issues.push(...lostIssues(this.#lost), ...strayIssues(ledger.endpoints(), this.#look.view?.self.podCidrs ?? []));
    return issues;
  }

  /** What attachments work with: always as things stand now. */
  context(): NodeContext {
    const { kernel, ledger, nowMs, newMac } = this.#parts;
    return {
      kernel,
      ledger,
      nowMs,
      newMac,
      policy: this.policy,
      settings: () => this.settings(),
      hostPortsClosed: () => this.services.hostPortsClosed(),
      problems: () => this.notReady().map((reason) => ({ reason, isFeltByPods: this.#report !== undefined })),
    };
  }

  /** What attachments are made with. */
  settings(): NodeSettings {
    return { pools: this.pools(), mtuBytes: this.#plan?.underlay.podMtuBytes ?? MIN_MTU_BYTES };
  }

  /** A pool for each of this node's pod CIDRs that its kernel can serve. */
  pools(): readonly Pool[] {
    const routable = new Set(this.#plan?.routers.map((a) => a.family));
    const cidrs = (this.#look.view?.self.podCidrs ?? []).filter((c) => routable.has(c.family));
    return cidrs.map((c) =>
      makePool(
        c.text,
        c,
        [...this.#parts.config.ipam.reserved, ...reservedIn(this.#parts.source, c)].filter(
          (r) => r.family === c.family,
        ),
      ),
    );
  }

  get plan(): NodePlan | undefined {
    return this.#plan;
  }

  get report(): RunReport | undefined {
    return this.#report;
  }

  /** Tag of the loaded programs. */
  get programs(): string | undefined {
    return this.#programs.tag;
  }

  /** All nodes of the last plan. */
  get nodes(): readonly NodeNet[] {
    return this.#look.view?.nodes ?? [];
  }

  /** Numbers of nodes by address text, as the map has them. */
  nodeIds(): ReadonlyMap<string, number> {
    if (this.#programs.tag === undefined) return new Map();
    const rows = this.#parts.kernel.mapRows("nodes");
    return new Map(rows.map((r) => [addrFromBytes(decodeNodeKey(r.key).tunnel).text, decodeNode(r.value).nodeId]));
  }

  /** Whether a node is known that has no pod CIDR. */
  hasBareNodes(): boolean {
    return this.#cluster.hasBareNodes();
  }

  /** Whether the cluster shows anything else than the last run saw. Cheap: for every change of any object. */
  hasNews(): boolean {
    return this.#cluster.look() !== this.#look;
  }

  #runLocked(nowMs: number, isFull: boolean, wantsAll: boolean): void {
    const { config, log } = this.#parts;
    this.#programs.retry(nowMs);
    if (this.#programs.tag === undefined) return;
    this.#links.forget();
    if (isFull || this.#needsSweep()) {
      tellSweep(sweep(this.context()), log, (kind) => bump(this.counts.repairs, kind));
      this.#links.forget();
    }
    this.#look = this.#cluster.look();
    const { view } = this.#look;
    if (view === undefined) return;
    this.hostPorts.look();
    if (this.#plan === undefined) this.#wire.look(view.self, config.network);
    const looks = [this.policy.run(), this.services.run(isFull)];
    if (isFull && (wantsAll || !this.#maps.isGoing)) this.#maps.begin(looks);
    const report = this.#reconciler.run({
      nowMs,
      isFull,
      plan: (seen, epoch) => {
        // Never back while the agent lives: a moment without connections is not the end of rules that ask for them.
        this.#isTracked ||= seen.tracksConnections;
        const facts = { ...seen, tracksConnections: this.#isTracked };
        this.#plan = planNode({
          settings: this.#withPools(config.network, view.nodes),
          ...view,
          // Devices that limit pods may have been made since the last look.
          endpoints: this.#presentEndpoints(),
          facts,
          epoch,
          hasHostPolicy: this.policy.isHostJudged(),
          hasServices: this.services.hasServices(),
          sockets: this.#socketGroup(),
          clusterRows: this.#clusterRows,
        });
        return this.#plan.tables;
      },
    });
    this.#report = report;
    this.counts.drifted += report.drifted;
    this.hostPorts.tell();
    // Host endpoints are of devices: what has come or changed is judged from now on.
    if (this.#plan !== undefined && this.#wire.take(this.#plan.underlay)) this.policy.update();
  }

  /** Whether the node's firewall has begun to follow connections since the last run. Cheap: nothing else tells of it. */
  hasNewFirewall(): boolean {
    return !this.#isTracked && tracksConnections(this.#parts.kernel);
  }

  #socketGroup(): NodePlanInput["sockets"] {
    const { isEnabled, socketCgroup } = this.#parts.config.services;
    if ((!isEnabled && !this.hostPorts.hasAny) || socketCgroup === "off") return undefined;
    return this.#parts.kernel.controlGroup(socketCgroup === "auto" ? undefined : socketCgroup);
  }

  /** Applies what the cluster's services have become, see {@link PolicyControl.apply}. */
  applyServices(): boolean {
    return this.#programs.tag === undefined || this.services.apply();
  }

  /**
   * An earlier agent's policy is to go, see {@link compare}: to be called when what is left for the time without an agent names this
   * one's.
   */
  dropPredecessor(): void {
    if (this.policy.hasPredecessor && !this.#maps.isGoing) this.#maps.begin([this.policy.mending()]);
  }

  /** Whether an attachment is unfinished or has lost its device, or a pod's device is nobody's. */
  #needsSweep(): boolean {
    const endpoints = this.#parts.ledger.endpoints();
    const known = new Set(endpoints.map((e) => e.hostIfname));
    const isWhole = (e: Endpoint) => e.state === "ready" && this.#links.index(e.hostIfname) === e.hostIfindex;
    return !endpoints.every(isWhole) || this.#links.all().some((l) => isPodLink(l.name) && !known.has(l.name));
  }

  /** Attachments whose device is there. A pod that lost its device cannot be given another one: it is reported. */
  #presentEndpoints(): EndpointRows[] {
    this.#lost = [];
    const present: EndpointRows[] = [];
    for (const e of this.#parts.ledger.endpoints()) {
      const rows = planEndpoint(e, this.policy.classesOf(e), devicesOf(e, this.#links, this.#parts.ledger));
      if (rows === undefined) continue;
      if (this.#links.index(e.hostIfname) === e.hostIfindex) present.push(rows);
      else this.#lost.push(e);
    }
    return present;
  }
}
