/** Says loudly which pods, or parts of the node, are closed since their rules have no room, once for each, and when they are open again. */

import type { Issue } from "../../base/issue.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import type { Log } from "../log.ts";
import type { PolicyState } from "./policy-engine.ts";
import { type ClosedEndpoint, closedEndpoints } from "./policy-status.ts";

/** See the file's comment. */
export class OverflowWatch {
  readonly #log: Log;
  #closed: readonly ClosedEndpoint[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Call it after every change of policy. Cheap while everything fits. */
  note(state: Pick<PolicyState, "tables" | "unknown">, endpoints: () => readonly Endpoint[]): void {
    if (state.tables.overflow.size === 0 && this.#closed.length === 0) return;
    const before = new Set(this.#closed.map((c) => c.key));
    this.#closed = closedEndpoints(state, endpoints()).filter((c) => c.why === "overflow");
    for (const { key, name, reason } of this.#closed)
      if (!before.delete(key))
        this.#log.error({ endpoint: name, failure: reason }, "closed an endpoint, since its policies do not fit");
    if (before.size > 0)
      this.#log.info({ entries: before.size }, "endpoints whose policies did not fit are closed no more");
  }

  issues(): Issue[] {
    return this.#closed.map(({ key, name, directions, reason }) => ({
      path: `endpoints.${key}`,
      message: `${name} is closed for ${directions.join(" and ")}: ${reason}`,
    }));
  }
}
