/** The answering side, on sockets that somebody else made: in this process's namespace or in any other. */

import { createSocket } from "node:dgram";
import { createServer, type ListenOptions, type Socket } from "node:net";
import { decodeRequest, encodeReply, MAX_MESSAGE_BYTES, mayBeRequest, plainAddress, plainAnswer } from "./protocol.ts";

const IDLE_MS = 300_000;
const MAX_UDP_REPLY_BYTES = 65_000;

function serveConnection(name: string, socket: Socket): void {
  let kept: Buffer = Buffer.alloc(0);
  const peer = { peerAddress: plainAddress(socket.remoteAddress ?? "?"), peerPort: socket.remotePort ?? 0 };
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    for (let request = decodeRequest(kept); request !== undefined; request = decodeRequest(kept)) {
      if (kept.length < request.size) return;
      kept = kept.subarray(request.size);
      socket.write(encodeReply({ nonce: request.nonce, name, ...peer }, request.want));
    }
    if (kept.length === 0 || (mayBeRequest(kept) && kept.length < MAX_MESSAGE_BYTES)) return;
    const answer = plainAnswer(name, peer.peerAddress, peer.peerPort, kept);
    kept = Buffer.alloc(0);
    if (answer.isLast) socket.end(answer.text);
    else socket.write(answer.text);
  });
  socket.on("end", () => socket.end());
}

/** What answers until it is closed. */
export interface ProbeServer {
  close(): void;
}

/**
 * Serves TCP on an address or on a listening descriptor, which is taken over. Resolves when it listens. Closing it ends its
 * connections: one whose client was cut off would keep this process until it has been idle for long enough.
 */
export function serveTcp(name: string, target: ListenOptions | { readonly fd: number }): Promise<ProbeServer> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    serveConnection(name, socket);
  });
  const close = () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(target, () => {
      // Too many open files: the client's probe tells, the server goes on.
      server.removeListener("error", reject).on("error", () => {});
      resolve({ close });
    });
  });
}

/** Serves UDP on one address or on a bound descriptor, which is taken over. Resolves when it is bound. */
export function serveUdp(
  name: string,
  family: 4 | 6,
  target: { fd: number } | { port: number; address: string },
): Promise<ProbeServer> {
  const socket = createSocket({ type: family === 6 ? "udp6" : "udp4" });
  socket.on("message", (data, from) => {
    const request = decodeRequest(data);
    const peer = { peerAddress: plainAddress(from.address), peerPort: from.port };
    const reply = request
      ? encodeReply({ nonce: request.nonce, name, ...peer }, Math.min(request.want, MAX_UDP_REPLY_BYTES))
      : plainAnswer(name, peer.peerAddress, peer.peerPort, Buffer.alloc(0)).text;
    // A reply that cannot be sent (no route, closed port) is the network's answer, not this program's end.
    socket.send(reply, from.port, from.address, () => {});
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject).bind(target, () => {
      socket.removeListener("error", reject).on("error", () => {});
      resolve({ close: () => void socket.close() });
    });
  });
}
