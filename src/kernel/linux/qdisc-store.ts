/** Token bucket filters at the egress of the node's devices. */

import { NLM_F } from "../../net/netlink/constants.ts";
import {
  readTokenBucket,
  writeDelTokenBucket,
  writeGetQdiscs,
  writeNewTokenBucket,
} from "../../net/netlink/token-bucket.ts";
import type { QdiscRow } from "../../plan/rows.ts";
import { KernelError } from "../kernel.ts";
import { ERRNO } from "./failure.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** See Kernel.qdiscs. */
export function listQdiscs(socket: NetlinkSocket): QdiscRow[] {
  const found = socket.dump({ op: "list qdiscs", write: writeGetQdiscs }, readTokenBucket);
  return found.flatMap(({ index, ...bucket }) => {
    const link = socket.ifName(index);
    return link === undefined ? [] : [{ link, ...bucket }];
  });
}

/** See Kernel.putQdisc. */
export function putQdisc(socket: NetlinkSocket, row: QdiscRow): void {
  const { link, ...bucket } = row;
  const op = `limit "${link}" to ${row.rateBytes} bytes a second`;
  const index = socket.ifIndex(link);
  if (index === 0) throw new KernelError(op, "ENODEV", ERRNO.ENODEV, `no link "${link}"`);
  socket.change([
    {
      op,
      write: (w, flags, sequence) =>
        writeNewTokenBucket(w, { index, bucket, flags: flags | NLM_F.CREATE | NLM_F.REPLACE, sequence }),
    },
  ]);
}

/** See Kernel.deleteQdisc. */
export function deleteQdisc(socket: NetlinkSocket, link: string): void {
  const index = socket.ifIndex(link);
  if (index === 0) return;
  socket.change([
    {
      op: `remove the limit of "${link}"`,
      write: (w, flags, sequence) => writeDelTokenBucket(w, index, flags, sequence),
      tolerates: [ERRNO.ENOENT, ERRNO.EINVAL, ERRNO.ENODEV],
    },
  ]);
}
