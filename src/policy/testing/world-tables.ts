/** Tables of objects that were read once, as a world wants them. */

import { createStore } from "../../store/store.ts";
import type { WorldObjects } from "../ask/world.ts";

/** What each table's rows are. */
type WorldRows = {
  readonly [T in keyof WorldObjects]: NonNullable<WorldObjects[T]> extends Iterable<infer Row> ? Row : never;
};

/** Every table; the type says when one is missing. */
const NAMES: Readonly<Record<keyof WorldRows, true>> = {
  nodes: true,
  pods: true,
  namespaces: true,
  networkPolicies: true,
  clusterNetworkPolicies: true,
  adminNetworkPolicies: true,
  baselineAdminNetworkPolicies: true,
  calicoTiers: true,
  networkSets: true,
  globalNetworkSets: true,
  hostEndpoints: true,
  calicoNetworkPolicies: true,
  globalNetworkPolicies: true,
  stagedNetworkPolicies: true,
  stagedGlobalNetworkPolicies: true,
  stagedKubernetesNetworkPolicies: true,
  ciliumNetworkPolicies: true,
  ciliumClusterwideNetworkPolicies: true,
  ciliumCidrGroups: true,
  services: true,
  endpointSlices: true,
  serviceAccounts: true,
};

/** Rows by table and key; tables that are not there are empty. */
export function worldObjects(
  rows: {
    readonly [T in keyof WorldRows]?: ReadonlyMap<string, WorldRows[T]>;
  },
): WorldObjects {
  const store = createStore<WorldRows>(Object.keys(NAMES) as (keyof WorldRows)[]);
  const changes = Object.entries(rows).map(([table, of]) => [
    table,
    Array.from(of, ([key, row]: readonly [string, unknown]) => ({ key, row })),
  ]);
  return store.transact(Object.fromEntries(changes)).tables;
}
