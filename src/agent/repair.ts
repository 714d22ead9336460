/**
 * Adopts the attachments that are recorded, whoever made them, and brings records and devices together: what a crash left
 * half done is torn down, what vanished is given up, what nobody remembers is removed.
 */

import type { Kernel } from "../kernel/kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isPodLink } from "../plan/names.ts";
import { messageOf } from "./reconcile/failures.ts";

/** Why an attachment was given up or a device removed. */
export type RepairReason =
  /** An ADD that did not end. */
  | "unfinished-add"
  /** A DEL that did not end. */
  | "unfinished-del"
  /** The pod's namespace is gone, and its devices with it. */
  | "device-gone"
  /** A pod's device that no record speaks of. */
  | "unknown-device";

/** One thing that was mended. */
export interface Repair {
  readonly reason: RepairReason;
  readonly link: string;
  readonly endpoint: Endpoint | undefined;
  /** Why it could not be mended; undefined: it was. */
  readonly failure: string | undefined;
}

/** What repairing needs. */
export interface RepairParts {
  readonly kernel: Pick<Kernel, "links" | "deleteLink">;
  readonly ledger: Pick<Ledger, "endpoints">;
  /** Removes everything of an attachment: devices, map entries, lease, record. Must succeed when parts are gone. */
  tearDown(endpoint: Endpoint): void;
}

function reasonOf(e: Endpoint, indexes: ReadonlyMap<string, number>): RepairReason | undefined {
  if (e.state === "pending") return "unfinished-add";
  if (e.state === "deleting") return "unfinished-del";
  const index = indexes.get(e.hostIfname);
  return index === undefined || index !== e.hostIfindex ? "device-gone" : undefined;
}

/**
 * Mends all attachments. To be called with the ledger's exclusive lock held: only then is a pending one really left over.
 * One failure keeps no other from being mended.
 */
export function repairEndpoints(parts: RepairParts): Repair[] {
  const links = parts.kernel.links().filter((l) => isPodLink(l.name));
  const indexes = new Map(links.map((l) => [l.name, l.ifindex]));
  const repairs: Repair[] = [];
  const attempt = (reason: RepairReason, link: string, endpoint: Endpoint | undefined, work: () => void) => {
    try {
      work();
      repairs.push({ reason, link, endpoint, failure: undefined });
    } catch (cause) {
      repairs.push({ reason, link, endpoint, failure: messageOf(cause) });
    }
  };
  const known = new Set<string>();
  for (const e of parts.ledger.endpoints()) {
    known.add(e.hostIfname);
    const reason = reasonOf(e, indexes);
    if (reason !== undefined) attempt(reason, e.hostIfname, e, () => parts.tearDown(e));
  }
  for (const { name } of links)
    if (!known.has(name)) attempt("unknown-device", name, undefined, () => parts.kernel.deleteLink(name));
  return repairs;
}
