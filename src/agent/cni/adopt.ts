/** Attachments that stand in the kernel and that no ledger remembers: their notes say whose they are, their pods go on. */

import type { Link } from "../../kernel/kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { hostIfname } from "./host-ifname.ts";
import { readNote } from "./link-note.ts";
import type { NodeContext } from "./node-context.ts";

/**
 * Records the attachment whose host end this is, as the pod's namespace shows it.
 * @returns undefined when it is nobody's: no note, or no such interface at the other end
 * @throws KernelError, LedgerError, or Error when another attachment has its name or an address
 */
export function adoptLink(ctx: NodeContext, link: Link): Endpoint | undefined {
  const note = link.alias === undefined ? undefined : readNote(link.alias);
  if (note === undefined || hostIfname(note.containerId, note.ifname) !== link.name) return undefined;
  const netnsId = ctx.kernel.netnsId(note.netnsPath);
  if (netnsId === undefined) return undefined;
  const found = ctx.kernel.inspectPodLink(note.netnsPath, note.ifname);
  if (found === undefined || found.hostIfindex !== link.ifindex) return undefined;
  const addrs = found.addrs.map((a) => a.addr).sort((a, b) => a.family - b.family);
  const families = new Set(addrs.map((a) => a.family));
  if (addrs.length === 0 || families.size !== addrs.length) return undefined;
  const endpoint = {
    ...note,
    netnsId,
    hostIfname: link.name,
    mac: found.mac,
    mtuBytes: found.mtuBytes,
    createdAtMs: ctx.nowMs(),
  };
  return ctx.ledger.adopt(endpoint, { addrs, hostIfindex: link.ifindex });
}
