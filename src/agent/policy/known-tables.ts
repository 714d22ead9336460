/** The cluster's tables as policies may rest on them: what only some policies ask for is followed once one does. */

import type { ClusterSnapshot, ClusterSource } from "../../cluster/source.ts";
import type { ServiceObjects, ServiceTable } from "../../policy/service-index.ts";

/** The tables; of those on demand, undefined where nobody knows what they hold. */
export type KnownTables = Omit<ClusterSnapshot["tables"], ServiceTable> & ServiceObjects;

/** What there is to work with. */
export interface Known {
  readonly tables: KnownTables;
  /** Tables without whose first answer nothing should be applied: policies would mean something else in a moment. */
  readonly waitingFor: readonly ServiceTable[];
}

/**
 * Asks the source for what the policies ask for.
 * @param wantsOf tables that policies ask for, those of before included
 */
export function knownTables(
  source: Pick<ClusterSource, "snapshot" | "stateOf" | "want">,
  wantsOf: (tables: KnownTables) => ReadonlySet<ServiceTable>,
): Known {
  const { tables } = source.snapshot();
  const shown = <T extends ServiceTable>(table: T) =>
    ["known", "absent"].includes(source.stateOf(table)) ? tables[table] : undefined;
  const known: KnownTables = {
    ...tables,
    services: shown("services"),
    endpointSlices: shown("endpointSlices"),
    serviceAccounts: shown("serviceAccounts"),
  };
  const wanted = [...wantsOf(known)];
  source.want(wanted);
  return { tables: known, waitingFor: wanted.filter((table) => source.stateOf(table) === "waiting") };
}
