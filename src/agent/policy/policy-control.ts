/** Policy of an agent: when it is brought up to date, what keeps it from that, and what an attachment may have of it. */

import { isDeepStrictEqual } from "node:util";
import { err, ok, type Result } from "../../base/result.ts";
import type { ClusterSource } from "../../cluster/source.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { ENDPOINTS_MAP, presentClasses } from "../../plan/endpoint.ts";
import { CONFIG_KEY, hasHostPolicy } from "../../plan/map-rows.ts";
import type { List } from "../../policy/pieces.ts";
import type { Policy } from "../../policy/rule.ts";
import type { EndpointClasses } from "../../policy/table.ts";
import type { Mending } from "../compare/map-look.ts";
import type { AgentConfig } from "../config/config.ts";
import { describePod, isClosed } from "../endpoint-words.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import type { WireDevices } from "../reconcile/wire-devices.ts";
import { withApi } from "./api-failsafe.ts";
import { knownTables } from "./known-tables.ts";
import { podOf } from "./local-endpoints.ts";
import { conditionsFor, type WantedConditions } from "./object-conditions.ts";
import { OverflowWatch } from "./overflow-watch.ts";
import { PolicyEngine, type PolicySettings, type PolicyState } from "./policy-engine.ts";
import type { PolicyHits } from "./policy-hits.ts";

/** What it works on. */
export interface PolicyControlParts {
  readonly kernel: Kernel;
  readonly source: ClusterSource;
  readonly config: Pick<AgentConfig, "nodeName" | "cluster" | "policy">;
  readonly log: Log;
  readonly ledger: Pick<Ledger, "endpoints" | "exclusive">;
  /** What {@link PolicyControl.openClasses} was when an earlier agent of this boot ended. */
  readonly openClassesBefore?: EndpointClasses | undefined;
  /** Devices that host endpoints are of. */
  readonly wire: Pick<WireDevices, "devices">;
  /** Whether the maps are there. */
  readonly isLoaded: () => boolean;
}

/** See the file's comment. */
export class PolicyControl {
  readonly #parts: PolicyControlParts;
  readonly #overflow: OverflowWatch;
  #engine: PolicyEngine | undefined;
  /** Its first update is done: what the kernel has is what the cluster says. */
  #isKnown = false;
  #settings: PolicySettings | undefined;
  #waitsFor: readonly string[] = [];
  #conditions: { readonly policies: List<Policy>; readonly say: WantedConditions } | undefined;
  #problem: string | undefined;

  constructor(parts: PolicyControlParts) {
    this.#parts = parts;
    this.#overflow = new OverflowWatch(parts.log);
  }

  /** undefined: nothing is known yet. */
  get engine(): PolicyEngine | undefined {
    return this.#isKnown ? this.#engine : undefined;
  }

  get state(): PolicyState | undefined {
    return this.engine?.state();
  }

  /** How often rules decided; undefined: policy is not known yet. */
  get hits(): PolicyHits | undefined {
    return this.engine?.hits;
  }

  /** Why the last change is not applied; undefined: it is. */
  get problem(): string | undefined {
    if (this.#problem !== undefined || this.#waitsFor.length === 0) return this.#problem;
    return `Changes wait for the first answer about ${this.#waitsFor.join(", ")}`;
  }

  /** Endpoints that are closed since the kernel has no room for their verdicts. */
  get overflowIssues(): ReturnType<OverflowWatch["issues"]> {
    return this.#overflow.issues();
  }

  /** Whether the cluster is known and its policies are not applied yet. */
  isWanting(): boolean {
    return !this.#isKnown && this.#parts.source.isSynced();
  }

  /** Whether policy speaks of the node itself; while it is not known, what stands in the kernel. */
  isHostJudged(): boolean {
    if (this.engine !== undefined) return this.engine.isHostJudged;
    const value = this.#parts.kernel.mapGet("config", CONFIG_KEY);
    return value !== undefined && hasHostPolicy(value);
  }

  /** Classes of pods in a cluster without policy; undefined where there is policy, or nobody knows. */
  openClasses(): EndpointClasses | undefined {
    return this.engine === undefined ? this.#parts.openClassesBefore : this.engine.openClasses();
  }

  /** What should stand on the objects of policies, the same function for as long as they are the same; undefined: not known. */
  wantedConditions(): WantedConditions | undefined {
    const policies = this.problem === undefined ? this.engine?.policies() : undefined;
    if (policies === undefined) return undefined;
    if (this.#conditions?.policies !== policies)
      this.#conditions = { policies, say: conditionsFor(policies, this.#parts.config.policy.mode) };
    return this.#conditions.say;
  }

  /**
   * Applies what the cluster's policies have become, and nothing else: for every change of an object that the node itself
   * does not follow from. @returns false: a run has to follow, since it could not, or since more follows from it
   */
  apply(): boolean {
    // What is left for the time without an agent follows from it, and the switch of the node's own policy.
    const follows = () => `${this.openClasses() !== undefined} ${this.engine?.isHostJudged}`;
    const before = follows();
    this.update();
    return this.#problem === undefined && before === follows();
  }

  /**
   * Part of a run.
   * @returns compares the maps with what is wanted, in steps: never throws. undefined: they have just been, or cannot be
   */
  run(): Mending | undefined {
    const wasKnown = this.#isKnown;
    this.update();
    return wasKnown && this.problem === undefined ? this.mending() : undefined;
  }

  /** Whether rows of an earlier agent's policy still stand beside this one's. */
  get hasPredecessor(): boolean {
    return this.engine?.hasPredecessor === true;
  }

  /** What an earlier agent wrote goes with it, too. Never throws. */
  *mending(): Mending {
    try {
      return this.engine === undefined ? 0 : yield* this.engine.mending();
    } catch (cause) {
      this.#problem = messageOf(cause);
      this.#parts.log.error({ error: cause }, "cannot compare policy's maps");
      return 0;
    }
  }

  /** Brings the kernel up to date. Before the cluster is known, what an earlier agent wrote stays in force. Never throws. */
  update(): void {
    const { source, ledger, wire, log, isLoaded } = this.#parts;
    if (!source.isSynced() || !isLoaded()) return;
    try {
      const engine = this.#configured();
      const { tables, waitingFor } = knownTables(source, (t) => engine.wants(t));
      this.#waitsFor = waitingFor;
      if (waitingFor.length > 0) return;
      ledger.exclusive(() => engine.update(tables, ledger.endpoints(), wire.devices));
      this.#isKnown = true;
      this.#problem = undefined;
      this.#overflow.note(engine.state(), () => ledger.endpoints());
    } catch (cause) {
      if (!this.#isKnown) this.#engine = undefined;
      this.#problem = messageOf(cause);
      log.error({ error: cause }, "cannot apply policy");
    }
  }

  /** @throws KernelError */
  #configured(): PolicyEngine {
    const { kernel, source, config } = this.#parts;
    const { mode, failsafes } = config.policy;
    const settings = { mode, failsafes: withApi(failsafes, config.cluster, source) };
    this.#engine ??= new PolicyEngine(kernel, {
      node: config.nodeName,
      hasPods: config.cluster.kind === "kube",
      ...settings,
    });
    const hasChanged = this.#settings !== undefined && !isDeepStrictEqual(this.#settings, settings);
    if (hasChanged) {
      this.#engine.configure(settings);
      this.#conditions = undefined;
    }
    this.#settings = settings;
    return this.#engine;
  }

  /** What a new attachment gets; the reason why it has to wait. */
  admit(e: Endpoint): Result<EndpointClasses, string> {
    const { source } = this.#parts;
    // Policy begins with a run, after which everything names its classes.
    if (this.#isKnown) this.update();
    if (this.#problem !== undefined) return err(`policy cannot be applied: ${this.#problem}`);
    // Until the cluster has answered, what the last agent knew of it goes on.
    const classes = this.engine === undefined ? this.openClasses() : this.engine.classesOf(e.id);
    if (classes === undefined) return err(`${source.description} has not said yet what policies there are`);
    if (!isClosed(classes)) return ok(classes);
    if (this.#waitsFor.length > 0)
      return err(`policies ask for ${this.#waitsFor.join(", ")}, which ${source.description} has not shown yet`);
    const what = podOf(e, source.snapshot().tables) === undefined ? describePod(e) : `namespace "${e.podNamespace}"`;
    return err(`${source.description} shows no ${what}, so that nobody knows which policies select it`);
  }

  /** What policy says of an attachment; while it is not known, what stands in the kernel. */
  classesOf(e: Endpoint): EndpointClasses {
    const { kernel } = this.#parts;
    return this.engine?.classesOf(e.id) ?? presentClasses(e, (key) => kernel.mapGet(ENDPOINTS_MAP, key));
  }
}
