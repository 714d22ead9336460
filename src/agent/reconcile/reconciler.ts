/**
 * The reconciler of a node: whatever happened, it compares everything that is wanted with everything that is there, and
 * writes the difference. Starting, updating, mending after a crash and undoing somebody's `ip link del` are this one path.
 *
 * Order: devices first, then settings, addresses and routes; then the maps' entries, `config` last of all maps, since
 * its revision makes established flows look their decisions up anew; then programs are put on devices and sockets. Each stage puts
 * before it removes. A row that fails keeps nobody else from being written.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import { bytesEqual } from "../../net/bytes-key.ts";
import { ENDPOINTS_MAP } from "../../plan/endpoint.ts";
import type { NodeFacts } from "../../plan/facts.ts";
import type { MapRowPrinter } from "../../plan/print.ts";
import type { NodeTables } from "../../plan/rows.ts";
import { readFacts } from "./facts.ts";
import {
  addrTable,
  attachTable,
  endpointTable,
  linkTable,
  mapTable,
  qdiscTable,
  routeTable,
  socketHookTable,
  sysctlTable,
} from "./kernel-tables.ts";
import type { LinksView } from "./links-view.ts";
import type { RunReport } from "./status.ts";
import { type RunnerEvents, TableRunner } from "./table-runner.ts";

/** What a run is told to do. */
export interface RunInput {
  /**
   * Makes the wanted rows from a look at the kernel; asked again when devices were made.
   * @param epoch mixed into the revision of `config`
   */
  plan(facts: NodeFacts, epoch: number): NodeTables;
  /** Wall clock, milliseconds. */
  readonly nowMs: number;
  /** Whether large maps are read although nothing is known to have changed. */
  readonly isFull: boolean;
}

/** Anything that can be run as a stage's table. */
type Runner = Pick<TableRunner<unknown, unknown>, "put" | "remove" | "status" | "nextMs" | "drifted">;

const EMPTY: NodeTables = {
  links: [],
  addrs: [],
  routes: [],
  sysctls: [],
  qdiscs: [],
  attachments: [],
  socketHooks: [],
  maps: new Map(),
};

/** See the file's comment. One for the life of an agent: it remembers failures between runs. */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #events: RunnerEvents;
  readonly #printer: MapRowPrinter;
  readonly #view: LinksView;
  readonly #links: Runner;
  readonly #base: readonly Runner[];
  readonly #hooks: readonly Runner[];
  readonly #maps = new Map<string, Runner>();
  #tables = EMPTY;
  #epoch = 0;

  /** @param view of the devices; whoever changes devices before a run makes it look anew */
  constructor(kernel: Kernel, view: LinksView, printer: MapRowPrinter, events: RunnerEvents) {
    this.#kernel = kernel;
    this.#view = view;
    this.#events = events;
    this.#printer = printer;
    this.#links = new TableRunner(linkTable(kernel, view), () => this.#tables.links, events);
    this.#base = [
      new TableRunner(
        sysctlTable(kernel, () => this.#tables.sysctls),
        () => this.#tables.sysctls,
        events,
      ),
      new TableRunner(addrTable(kernel, view), () => this.#tables.addrs, events),
      new TableRunner(routeTable(kernel), () => this.#tables.routes, events),
      new TableRunner(qdiscTable(kernel), () => this.#tables.qdiscs, events),
    ];
    this.#hooks = [
      new TableRunner(attachTable(kernel, view), () => this.#tables.attachments, events),
      new TableRunner(socketHookTable(kernel), () => this.#tables.socketHooks, events),
    ];
  }

  /** One run. Synchronous: nothing is decided on what a later moment shows differently. */
  run(input: RunInput): RunReport {
    const plan = () => {
      this.#tables = input.plan(readFacts(this.#kernel, this.#view), this.#epoch);
    };
    plan();
    let writes = this.#stage([this.#links], input);
    // Made devices have indexes that other rows speak of.
    if (writes > 0) {
      this.#view.forget();
      plan();
    }
    writes += this.#stage(this.#base, input);
    const names = [...this.#tables.maps.keys()].filter((name) => name !== "config");
    const mapWrites = this.#stage(this.#mapRunners(names), input);
    if (mapWrites > 0 && this.#isConfigRight()) {
      // A retry or mended drift: the contents that the revision stands for were not there until now.
      this.#epoch++;
      plan();
    }
    const configs = this.#tables.maps.has("config") ? ["config"] : [];
    writes += mapWrites + this.#stage(this.#mapRunners(configs), input);
    writes += this.#stage(this.#hooks, input);
    return this.#report(writes);
  }

  #isConfigRight(): boolean {
    const rows = this.#tables.maps.get("config") ?? [];
    return rows.some((row) => {
      const now = this.#kernel.mapGet("config", row.key);
      return now !== undefined && bytesEqual(now, row.value);
    });
  }

  /** The rows of the last run. */
  get tables(): NodeTables {
    return this.#tables;
  }

  #mapRunners(names: readonly string[]): Runner[] {
    return names.map((name) => {
      const known = this.#maps.get(name);
      if (known !== undefined) return known;
      const table =
        name === ENDPOINTS_MAP
          ? endpointTable(this.#kernel, this.#printer)
          : mapTable(this.#kernel, name, this.#printer);
      const runner = new TableRunner(table, () => this.#tables.maps.get(name) ?? [], this.#events);
      this.#maps.set(name, runner);
      return runner;
    });
  }

  #stage(runners: readonly Runner[], { nowMs, isFull }: RunInput): number {
    let writes = 0;
    for (const r of runners) writes += r.put(nowMs, isFull);
    for (const r of runners.toReversed()) writes += r.remove(nowMs);
    return writes;
  }

  #report(writes: number): RunReport {
    const active = this.#mapRunners([...this.#tables.maps.keys()]);
    const runners = [this.#links, ...this.#base, ...active, ...this.#hooks];
    const tables = runners.map((r) => r.status());
    const times = runners.map((r) => r.nextMs()).filter((t) => t !== undefined);
    return {
      tables,
      writes,
      drifted: runners.reduce((n, r) => n + r.drifted, 0),
      failing: tables.reduce((n, t) => n + t.failing, 0),
      retryAtMs: times.length === 0 ? undefined : Math.min(...times),
    };
  }
}
