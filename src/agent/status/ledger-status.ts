/** What the ledger says: readable with and without an agent. */

import type { Pool } from "../../ipam/pool.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import type { EndpointStatus, PoolStatus } from "./status.ts";

/** An attachment for people and programs. */
export function endpointStatus(e: Endpoint): EndpointStatus {
  const { id, state, network, containerId, ifname, mac, hostIfname, hostIfindex, netnsPath, mtuBytes, createdAtMs } = e;
  const pod = e.podName === undefined ? undefined : `${e.podNamespace ?? ""}/${e.podName}`;
  const addrs = e.addrs.map((a) => a.text);
  return {
    id,
    state,
    network,
    containerId,
    ifname,
    pod,
    addrs,
    mac,
    hostIfname,
    hostIfindex,
    netnsPath,
    mtuBytes,
    createdAtMs,
  };
}

/** Figures of pools. */
export function poolStatus(ledger: Pick<Ledger, "figures">, pools: readonly Pool[]): PoolStatus[] {
  return pools.map((pool) => {
    const f = ledger.figures(pool);
    return {
      pool: f.pool,
      prefix: f.prefix,
      usable: `${f.usable}`,
      used: `${f.used}`,
      cooling: `${f.cooling}`,
      free: `${f.free}`,
    };
  });
}

/** How many attachments stand where. */
export function countEndpoints(endpoints: readonly Endpoint[]): { total: number; byState: Record<string, number> } {
  const byState: Record<string, number> = {};
  for (const e of endpoints) byState[e.state] = (byState[e.state] ?? 0) + 1;
  return { total: endpoints.length, byState };
}
