/** Services' tables as values, and the writes that lead from one state of them to the next. */

import type { Addr } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Frontend } from "./frontends.ts";

/** What stands at a frontend; see `struct service`. */
export interface ServiceRow {
  readonly number: number;
  readonly flags: number;
  readonly insideSet: number;
  readonly insideCount: number;
  readonly outsideSet: number;
  readonly outsideCount: number;
  readonly affinitySeconds: number;
}

/** A frontend with its row. */
export interface FrontendRow {
  readonly frontend: Pick<Frontend, "addr" | "port" | "protocol">;
  readonly row: ServiceRow;
}

/** A place of a set. */
export interface SlotKey {
  readonly set: number;
  readonly index: number;
}

/** Who stands at a place. */
export interface SlotRow extends SlotKey {
  readonly backend: number;
}

/** A backend with its number. */
export interface BackendRow {
  readonly number: number;
  readonly addr: Addr;
  readonly port: number;
  readonly protocol: number;
}

/** Who may ask for a service. */
export interface SourceRow {
  readonly service: number;
  readonly prefix: Prefix;
}

/**
 * Writes in the order in which their lists stand here: what is pointed at comes first and goes last, so that who looks
 * meanwhile finds the old answer or the new one.
 */
export interface ServiceWrites {
  readonly backends: readonly BackendRow[];
  readonly slots: readonly SlotRow[];
  readonly sources: readonly SourceRow[];
  readonly services: readonly FrontendRow[];
  readonly goneServices: readonly FrontendRow["frontend"][];
  readonly goneSources: readonly SourceRow[];
  readonly goneSlots: readonly SlotKey[];
  readonly goneBackends: readonly number[];
  /** A backend answers for a service no longer: what flows and affinities say of it is to be looked through. */
  readonly hasGone: boolean;
}

/** Whether two rows say the same. */
export function isSameServiceRow(a: ServiceRow | undefined, b: ServiceRow | undefined): boolean {
  if (a === b) return true;
  return (
    a !== undefined &&
    b !== undefined &&
    a.number === b.number &&
    a.flags === b.flags &&
    a.insideSet === b.insideSet &&
    a.insideCount === b.insideCount &&
    a.outsideSet === b.outsideSet &&
    a.outsideCount === b.outsideCount &&
    a.affinitySeconds === b.affinitySeconds
  );
}
