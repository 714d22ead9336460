/** Services of an agent: when they are brought up to date, what keeps them from it, and what is forgotten afterwards. */

import type { ClusterSource, ClusterTable } from "../../cluster/source.ts";
import { titleOf } from "../../cluster/tables.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { CONFIG_KEY, hasServices } from "../../plan/map-rows.ts";
import { SERVICE_MAPS } from "../../plan/service-rows.ts";
import type { Mending } from "../compare/map-look.ts";
import type { AgentConfig } from "../config/config.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import { HealthChecks } from "./health-checks.ts";
import { Latency } from "./latency.ts";
import { clearServices, ServiceEngine } from "./service-engine.ts";
import { type Answering, StaleFlows } from "./stale-flows.ts";

/** What it works on. */
export interface ControlParts {
  readonly kernel: Kernel;
  readonly source: Pick<ClusterSource, "snapshot" | "stateOf" | "want" | "isSynced" | "description">;
  readonly config: Pick<AgentConfig, "nodeName" | "services">;
  readonly log: Log;
  /** Where the node's pods are; undefined: it has none. */
  readonly ledger?: Pick<Ledger, "endpoints">;
}

const TABLES = ["services", "endpointSlices"] as const satisfies readonly ClusterTable[];

/** Where services are none of this agent's nothing of theirs is forgotten. */
const NOBODY: Answering = { isServing: () => true, isMember: () => true };

/** See the file's comment. */
export class ServiceControl implements Disposable {
  /** From the news of a change until it is in the kernel. */
  readonly latency = new Latency("service_change_duration", "Time from the news of a change until it is in the kernel");
  readonly #parts: ControlParts;
  readonly #health: HealthChecks;
  #engine: ServiceEngine | undefined;
  #stale: StaleFlows | undefined;
  /** Its first update is done: what the kernel has is what the cluster says. */
  #isKnown = false;
  #isCleared = false;
  #isWalking = false;
  #problem: string | undefined;
  #changes = 0;
  #lastChangeMs = 0;

  constructor(parts: ControlParts) {
    this.#parts = parts;
    this.#health = new HealthChecks(parts.log, () => this.problem === undefined);
  }

  /** Nobody is answered any more at `healthCheckNodePort`. */
  [Symbol.dispose](): void {
    this.#health[Symbol.dispose]();
  }

  /** What of `healthCheckNodePort` does not work. */
  get healthIssues(): readonly string[] {
    return this.#health.issues;
  }

  get isEnabled(): boolean {
    return this.#parts.config.services.isEnabled;
  }

  /** undefined: nothing is known yet. */
  get engine(): ServiceEngine | undefined {
    return this.#isKnown ? this.#engine : undefined;
  }

  /** Why the kernel does not have what the cluster says; undefined: it does. */
  get problem(): string | undefined {
    if (!this.isEnabled) return undefined;
    return this.#problem ?? (this.#isKnown ? undefined : this.#waitingText());
  }

  /** Changes that were applied, and the time that the last one took. */
  get changes(): { readonly count: number; readonly lastMs: number } {
    return { count: this.#changes, lastMs: this.#lastChangeMs };
  }

  /** Entries that were forgotten, by map. */
  get forgotten(): ReadonlyMap<string, number> {
    return this.#stale?.removed ?? new Map();
  }

  /** Fill of the maps that this agent fills. */
  counts(): readonly { readonly map: string; readonly entries: number }[] {
    const counts = this.engine?.tables.counts();
    if (counts === undefined) return [];
    return (["services", "slots", "backends", "sources"] as const).map((t) => ({
      map: SERVICE_MAPS[t],
      entries: counts[t],
    }));
  }

  /** Whether programs are to look for services; while the cluster is not known, as they do. */
  hasServices(): boolean {
    if (!this.isEnabled) return false;
    if (this.engine !== undefined) return this.engine.tables.counts().services > 0;
    const value = this.#parts.kernel.mapGet("config", CONFIG_KEY);
    return value !== undefined && hasServices(value);
  }

  /** Applies what has changed. Programs have to be loaded. @returns false: a run has to follow */
  apply(): boolean {
    const before = this.hasServices();
    this.#update();
    return this.#problem === undefined && before === this.hasServices();
  }

  /** A pod's host ports are closed: what was connected to it by them is not any more. */
  hostPortsClosed(): void {
    this.#stale ??= this.isEnabled ? undefined : new StaleFlows(this.#parts.kernel, NOBODY, () => this.#podNetnses());
    this.#stale?.ask();
    this.#forget();
  }

  /**
   * Part of a run.
   * @param isFull the maps are to be looked at, too
   * @returns compares them, in steps: never throws. undefined: that is not to be done, or has been
   */
  run(isFull: boolean): Mending | undefined {
    if (!this.isEnabled) {
      this.#clear(isFull);
      return undefined;
    }
    const wasKnown = this.#isKnown;
    this.#update();
    const engine = isFull && wasKnown && this.#problem === undefined ? this.#engine : undefined;
    return engine === undefined ? undefined : this.#mending(engine);
  }

  *#mending(engine: ServiceEngine): Mending {
    try {
      return yield* engine.mending();
    } catch (cause) {
      this.#fail(cause);
      return 0;
    }
  }

  #update(): void {
    const { source, kernel, config, log } = this.#parts;
    if (!this.isEnabled || !source.isSynced()) return;
    source.want(TABLES);
    if (TABLES.some((t) => !["known", "absent"].includes(source.stateOf(t)))) return;
    const start = performance.now();
    try {
      const options = { node: config.nodeName, ...config.services };
      this.#isCleared = false;
      this.#engine ??= new ServiceEngine(kernel, options);
      const { tables } = this.#engine;
      this.#stale ??= new StaleFlows(kernel, tables, () => this.#podNetnses());
      const looked = this.#engine.update(source.snapshot().tables, options);
      this.#isKnown = true;
      this.#problem = undefined;
      if (looked > 0) this.#note(performance.now() - start);
      if (this.#engine.takeGone()) this.#stale.ask();
      this.#health.update(this.#engine.localHealth());
      this.#forget();
    } catch (cause) {
      if (!this.#isKnown) this.#engine = undefined;
      if (!this.#isKnown) this.#stale = undefined;
      if (this.#problem !== messageOf(cause)) log.error({ error: cause }, "cannot apply services");
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    this.#problem = messageOf(cause);
  }

  #note(ms: number): void {
    this.#changes++;
    this.#lastChangeMs = ms;
    this.latency.note(ms / 1000);
  }

  #podNetnses(): readonly string[] {
    return this.#parts.ledger?.endpoints().map((e) => e.netnsPath) ?? [];
  }

  /** The first page at once, the others when nothing else is to be done: flows may be many. */
  #forget(): void {
    if (this.#isWalking) return;
    const step = () => {
      this.#isWalking = false;
      try {
        if (this.#stale?.step() !== false) return;
      } catch (cause) {
        this.#parts.log.error({ failure: messageOf(cause) }, "cannot forget flows to backends that are gone");
        return;
      }
      this.#isWalking = true;
      setImmediate(step);
    };
    step();
  }

  /** An agent that is not to have services leaves none. */
  #clear(isFull: boolean): void {
    if (this.#isCleared && !isFull) return;
    this.#engine = undefined;
    this.#stale = undefined;
    this.#isKnown = false;
    this.#problem = undefined;
    this.#health.update([]);
    try {
      const rows = clearServices(this.#parts.kernel);
      if (rows > 0) this.#parts.log.info({ entries: rows }, "services are off: removed what stood in their maps");
      this.#isCleared = true;
    } catch (cause) {
      this.#parts.log.error({ error: cause }, "cannot remove services");
    }
  }

  #waitingText(): string {
    const { source } = this.#parts;
    const hidden = TABLES.filter((t) => source.stateOf(t) === "forbidden").map(titleOf);
    if (hidden.length > 0)
      return `${source.description} does not let this agent see ${hidden.join(", ")}: what was known stays`;
    return `Waiting for the first answer of ${source.description} about ${TABLES.map(titleOf).join(", ")}`;
  }
}
