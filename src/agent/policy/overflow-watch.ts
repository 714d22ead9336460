/** Says loudly which pods are closed since their rules have no room, once for each, and when they are open again. */

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
    const before = new Set(this.#closed.map((c) => c.id));
    this.#closed = closedEndpoints(state, endpoints()).filter((c) => c.why === "overflow");
    for (const { id, pod, reason } of this.#closed)
      if (!before.delete(id)) this.#log.error({ pod, failure: reason }, "closed a pod, since its policies do not fit");
    if (before.size > 0) this.#log.info({ entries: before.size }, "pods whose policies did not fit are closed no more");
  }

  issues(): Issue[] {
    return this.#closed.map(({ id, pod, directions, reason }) => ({
      path: `endpoints.${id}`,
      message: `${pod} is closed for ${directions.join(" and ")}: ${reason}`,
    }));
  }
}
