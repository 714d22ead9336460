/** Follows the cluster's objects of configuration: what of them applies to this node goes into its {@link LiveConfig}. */

import type { ClusterSource, ClusterTable } from "../../cluster/source.ts";
import type { Labels } from "../../model/intern.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import { type Layer, layersFor, withKept } from "./layers.ts";
import { rememberSettings } from "./learn-settings.ts";
import type { LiveConfig } from "./live-config.ts";

/** What following needs. */
export interface ConfigFollowerParts {
  readonly source: Pick<ClusterSource, "snapshot" | "stateOf" | "health">;
  readonly live: LiveConfig;
  readonly log: Log;
}

const TABLES: readonly ClusterTable[] = ["clusterConfigurations", "nodeConfigurations", "nodes"];

/** One for the life of an agent. */
export class ConfigFollower {
  readonly #parts: ConfigFollowerParts;
  #seen: readonly unknown[] = [];
  /** Of this node as last seen: somebody may have deleted its object by mistake. */
  #labels: Labels | undefined;
  #told = "";
  /** In effect, of objects that this process has never been able to read. */
  #kept: readonly Layer[] = [];

  constructor(parts: ConfigFollowerParts) {
    this.#parts = parts;
  }

  /** Takes over what has changed. Cheap when nothing has: for every change of any object. @returns whether anything has */
  look(): boolean {
    const { source, live } = this.#parts;
    // What is not known yet, or not shown to us, is not gone.
    if (!TABLES.every((t) => ["known", "absent"].includes(source.stateOf(t)))) return false;
    const { clusterConfigurations, nodeConfigurations, nodes } = source.snapshot().tables;
    const { nodeName } = live.config;
    this.#labels = nodes.get(nodeName)?.labels ?? this.#labels;
    const labels = this.#labels;
    // Objects that cannot be read have no rows that would tell of their end. Most clusters have none.
    if (this.#seen.length === 0 || this.#kept.length > 0) this.#kept = this.#unreadable();
    const kept = this.#kept.map((l) => l.subject).join();
    const now = [clusterConfigurations, nodeConfigurations, labels, kept];
    if (now.every((x, i) => x === this.#seen[i]) && this.#seen.length > 0) return false;
    this.#seen = now;
    const layers = layersFor({ cluster: clusterConfigurations, nodes: nodeConfigurations }, nodeName, labels);
    const hasChanged = live.use(withKept(layers, this.#kept));
    this.#tell(hasChanged);
    return hasChanged;
  }

  #unreadable(): readonly Layer[] {
    const { source, live } = this.#parts;
    const subjects = new Set(source.health().problems.map((p) => p.subject));
    return live.layers.filter((l) => subjects.has(l.subject));
  }

  #tell(hasChanged: boolean): void {
    const { live, log } = this.#parts;
    const subjects = live.layers.map((l) => l.subject);
    if (hasChanged) log.info({ from: subjects }, "the configuration has changed");
    const reasons = [
      ...live.issues.map((i) => `${i.path}: ${i.message}`),
      ...live.waits.map((key) => `${key} waits for a restart of the agent`),
    ];
    const text = reasons.join("\n");
    if (text !== "" && text !== this.#told)
      log.warn({ reasons }, "not everything is as the cluster's configuration says");
    this.#told = text;
    try {
      rememberSettings(live.config.paths.run, live.layers);
    } catch (cause) {
      log.warn({ failure: messageOf(cause) }, "cannot keep the cluster's configuration for the next start");
    }
  }
}
