/** Follows the cluster's objects of configuration: what of them applies to this node goes into its {@link LiveConfig}. */

import type { ClusterSource, ClusterTable } from "../../cluster/source.ts";
import type { Labels } from "../../model/intern.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import { layersFor } from "./layers.ts";
import { rememberSettings } from "./learn-settings.ts";
import type { LiveConfig } from "./live-config.ts";

/** What following needs. */
export interface ConfigFollowerParts {
  readonly source: Pick<ClusterSource, "snapshot" | "stateOf">;
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
    const now = [clusterConfigurations, nodeConfigurations, labels];
    if (now.every((x, i) => x === this.#seen[i]) && this.#seen.length > 0) return false;
    this.#seen = now;
    const hasChanged = live.use(
      layersFor({ cluster: clusterConfigurations, nodes: nodeConfigurations }, nodeName, labels),
    );
    this.#tell(hasChanged);
    return hasChanged;
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
