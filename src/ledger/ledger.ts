/**
 * What a node remembers of its attachments between processes: who holds which address.
 *
 * SQLite below `/run`, so it lives exactly as long as the boot that its pods live in. The agent and short-lived
 * offline processes use it at the same time. Intent is written before the kernel is touched: whatever is `pending` or
 * `deleting` while {@link Ledger.exclusive} is held was left by a process that died.
 */

import type { Result } from "../base/result.ts";
import type { Allocation } from "../ipam/allocate.ts";
import type { IpamError } from "../ipam/error.ts";
import type { Occupancy } from "../ipam/occupancy.ts";
import type { Pool, PoolFigures } from "../ipam/pool.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Addr } from "../net/addr.ts";

/** An attachment as it begins: everything but what the ledger and the kernel decide. */
export type NewEndpoint = Omit<Endpoint, "id" | "state" | "addrs" | "hostIfindex" | "entryIfindex">;

/** One address that is not free. */
export interface Lease {
  readonly addr: Addr;
  readonly pool: string;
  /** Id of the attachment that holds it; undefined while it cools down. */
  readonly endpoint: number | undefined;
  /** Id of the attachment that held it last, or holds it. */
  readonly generation: number;
}

/** The open ledger. Every write is one committed transaction. */
export interface Ledger extends Disposable {
  readonly path: string;
  readonly bootId: string;
  /** Attachments of earlier boots that opening has removed. */
  readonly removedOnOpen: number;

  /**
   * Runs with the node's operation lock held: no other process attaches, detaches or sweeps meanwhile. The lock falls
   * with the process that holds it. Synchronous work only; nesting is allowed.
   * @throws LedgerError LEDGER_BUSY
   */
  exclusive<T>(work: () => T): T;

  /** All attachments, by id. */
  endpoints(): readonly Endpoint[];
  endpoint(id: number): Endpoint | undefined;
  find(containerId: string, ifname: string): Endpoint | undefined;
  /** All leases, cooling ones included, by address. */
  leases(): readonly Lease[];
  /** Rises with every change of any process. */
  revision(): number;

  /**
   * Leases what `choose` picks and records the attachment as pending, in one transaction.
   * @returns the refusal of `choose` unchanged, with nothing written
   * @throws Error when the container's interface is recorded already
   */
  begin(
    endpoint: NewEndpoint,
    choose: (occupancy: Occupancy) => Result<readonly Allocation[], IpamError>,
  ): Result<Endpoint, IpamError>;
  /**
   * The attachment is complete.
   * @param hostIfindex of the host end
   * @param entryIfindex where it is another
   * @throws Error unless it is pending
   */
  commit(id: number, hostIfindex: number, entryIfindex?: number): void;
  /** Another device has taken the place of the one that programs see the pod by. */
  setEntry(id: number, entryIfindex: number): void;
  /**
   * Records an attachment that stands in the kernel already and that nothing here remembers. Where its entry is another device
   * than the host end, {@link setEntry} says so later.
   * @throws Error when the container's interface is recorded, or one of the addresses is held
   */
  adopt(endpoint: NewEndpoint, found: Pick<Endpoint, "addrs"> & { readonly hostIfindex: number }): Endpoint;
  /** Intent to tear down; nothing happens when the id is not known. */
  markDeleting(id: number): void;
  /** Forgets the attachment; the addresses that it still holds begin to cool down. Nothing happens for an unknown id. */
  remove(id: number): void;

  /** A view for allocations and figures; valid until the next write. */
  occupancy(): Occupancy;
  figures(pool: Pool): PoolFigures;
  /** Allocations that had to take a cooling address, since the ledger was made. */
  earlyReuses(): number;
}
