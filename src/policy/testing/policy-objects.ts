/** Tables of policy for tests, each empty unless it is given. */

import type { ObjectTable, PolicyObjects } from "../from-objects.ts";

/** A table of rows that nobody looks up by key. */
export function tableOf<Row>(...rows: readonly Row[]): ObjectTable<Row> {
  return { get: () => undefined, size: rows.length, [Symbol.iterator]: () => rows.values() };
}

const none = tableOf<never>();

/** A cluster without policies; the same tables every time. */
export function emptyObjects(): PolicyObjects {
  return {
    namespaces: none,
    networkPolicies: none,
    clusterNetworkPolicies: none,
    adminNetworkPolicies: none,
    baselineAdminNetworkPolicies: none,
    calicoTiers: none,
    networkSets: none,
    globalNetworkSets: none,
    hostEndpoints: none,
    calicoNetworkPolicies: none,
    globalNetworkPolicies: none,
    stagedNetworkPolicies: none,
    stagedGlobalNetworkPolicies: none,
    stagedKubernetesNetworkPolicies: none,
    ciliumNetworkPolicies: none,
    ciliumClusterwideNetworkPolicies: none,
    ciliumCidrGroups: none,
    services: none,
    endpointSlices: none,
    serviceAccounts: none,
  };
}
