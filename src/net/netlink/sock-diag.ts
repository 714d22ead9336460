/**
 * inet_diag of UDP sockets, as far as ending some of them needs it (linux/inet_diag.h). A socket's identity is 48 bytes:
 * ports, addresses, device, and its cookie, the number by which programs know it, in the last eight.
 *
 *     request  | family u8 | protocol u8 | extensions u8 | 0 | states u32 | identity |         (inet_diag_req_v2)
 *     answer   | family u8 | state u8 | timer u8 | retries u8 | identity | …                   (inet_diag_msg)
 */

import { SOCK_DIAG } from "./constants.ts";
import { IS_LITTLE_ENDIAN, type NetlinkWriter } from "./writer.ts";

const UDP = 17;
const AF = { 4: 2, 6: 10 } as const;
/** Of UDP: connected. */
const ESTABLISHED = 1;
const IDENTITY_AT = 4;
const IDENTITY_BYTES = 48;

/** A socket that has a peer. */
export interface ConnectedSocket {
  readonly family: number;
  readonly cookie: bigint;
  readonly identity: Uint8Array;
}

function write(
  w: NetlinkWriter,
  type: number,
  socket: Omit<ConnectedSocket, "cookie">,
  flags: number,
  sequence: number,
): void {
  w.begin(type, flags, sequence);
  w.u8(socket.family)
    .u8(UDP)
    .u8(0)
    .u8(0)
    .u32(1 << ESTABLISHED);
  for (const byte of socket.identity) w.u8(byte);
  w.end();
}

/** Asks for all connected UDP sockets of a family. */
export function writeListConnected(w: NetlinkWriter, family: 4 | 6, flags: number, sequence: number): void {
  write(w, SOCK_DIAG.BY_FAMILY, { family: AF[family], identity: new Uint8Array(IDENTITY_BYTES) }, flags, sequence);
}

/** Ends one socket: its owner is told ECONNABORTED (Linux 4.9, CONFIG_INET_DIAG_DESTROY). */
export function writeDestroy(w: NetlinkWriter, socket: ConnectedSocket, flags: number, sequence: number): void {
  write(w, SOCK_DIAG.DESTROY, socket, flags, sequence);
}

/** One answer to {@link writeListConnected}; undefined when it is none. */
export function readConnected(payload: Uint8Array): ConnectedSocket | undefined {
  if (payload.length < IDENTITY_AT + IDENTITY_BYTES || payload[1] !== ESTABLISHED) return undefined;
  // A copy, also of a Buffer, whose slice() would be none.
  const identity = new Uint8Array(payload.subarray(IDENTITY_AT, IDENTITY_AT + IDENTITY_BYTES));
  const view = new DataView(identity.buffer);
  const [low, high] = [view.getUint32(40, IS_LITTLE_ENDIAN), view.getUint32(44, IS_LITTLE_ENDIAN)];
  return { family: payload[0] ?? 0, cookie: (BigInt(high) << 32n) | BigInt(low), identity };
}
