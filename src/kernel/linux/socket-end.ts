/** Ends connected UDP sockets whose peer is gone: nothing else would ever tell their owners. */

import { NETLINK_SOCK_DIAG } from "../../net/netlink/constants.ts";
import { readConnected, writeDestroy, writeListConnected } from "../../net/netlink/sock-diag.ts";
import type { NetnsRef } from "./addon.ts";
import { ERRNO, isKernelError } from "./failure.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

const FAMILIES = [4, 6] as const;

/**
 * Ends the sockets of one namespace that have one of these cookies.
 * @returns how many there were; 0 also when the namespace is gone
 * @throws KernelError EOPNOTSUPP where the kernel cannot do it
 */
export function endSockets(netns: NetnsRef, cookies: ReadonlySet<bigint>): number {
  using socket = open(netns);
  if (socket === undefined) return 0;
  const found = FAMILIES.flatMap((family) => {
    const op = `list the UDP sockets of IPv${family} in "${netns}"`;
    return socket.dump({ op, write: (w, f, sequence) => writeListConnected(w, family, f, sequence) }, readConnected);
  }).filter((s) => cookies.has(s.cookie));
  for (const s of found)
    socket.change([
      {
        op: `end UDP socket ${s.cookie} in "${netns}"`,
        write: (w, flags, sequence) => writeDestroy(w, s, flags, sequence),
        // It has ended meanwhile.
        tolerates: [ERRNO.ENOENT],
      },
    ]);
  return found.length;
}

function open(netns: NetnsRef): NetlinkSocket | undefined {
  try {
    return new NetlinkSocket(netns, NETLINK_SOCK_DIAG);
  } catch (error) {
    if (isKernelError(error, "ENOENT", "EINVAL")) return undefined;
    throw error;
  }
}
