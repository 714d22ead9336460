/**
 * The program of the image `twill.dev/echo`: serves ports and answers with its own name and the address it sees.
 *
 *     ECHO_NAME=default/a ECHO_PORTS=80/TCP,81/UDP node echo.ts
 *
 * It prints a line that begins with `ready` once every port is open.
 */

import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import {
  decodeRequest,
  encodeReply,
  MAX_MESSAGE_BYTES,
  mayBeRequest,
  plainAddress,
  plainAnswer,
} from "./probe/protocol.ts";

const IDLE_MS = 300_000;

function serveConnection(name: string, socket: Socket): void {
  let kept = Buffer.alloc(0);
  const peer = { address: plainAddress(socket.remoteAddress ?? "?"), port: socket.remotePort ?? 0 };
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    for (let request = decodeRequest(kept); request !== undefined; request = decodeRequest(kept)) {
      if (kept.length < request.size) return;
      kept = kept.subarray(request.size);
      socket.write(
        encodeReply({ nonce: request.nonce, name, peerAddress: peer.address, peerPort: peer.port }, request.want),
      );
    }
    if (kept.length === 0 || (mayBeRequest(kept) && kept.length < MAX_MESSAGE_BYTES)) return;
    const answer = plainAnswer(name, peer.address, peer.port, kept);
    kept = Buffer.alloc(0);
    if (answer.isLast) socket.end(answer.text);
    else socket.write(answer.text);
  });
  socket.on("end", () => socket.end());
}

function serveTcp(name: string, port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => serveConnection(name, socket));
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen({ port, host: "::", backlog: 1024 }, resolve);
  });
}

/** One socket for each address: a reply then leaves from the address that was asked. */
function serveUdp(name: string, port: number): Promise<unknown> {
  const addresses = Object.entries(networkInterfaces()).flatMap(([ifname, list]) =>
    (list ?? []).map((a) => ({
      family: a.family,
      address: a.address.startsWith("fe80:") ? `${a.address}%${ifname}` : a.address,
    })),
  );
  return Promise.all(
    addresses.map(({ family, address }) => {
      const socket = createSocket({ type: family === "IPv6" ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
      socket.on("message", (data, from) => {
        const request = decodeRequest(data);
        const reply = request
          ? encodeReply(
              { nonce: request.nonce, name, peerAddress: from.address, peerPort: from.port },
              Math.min(request.want, 65_000),
            )
          : plainAnswer(name, from.address, from.port, Buffer.alloc(0)).text;
        // A reply that cannot be sent (no route, closed port) is the network's answer, not this program's end.
        socket.send(reply, from.port, from.address, () => {});
      });
      return new Promise<void>((resolve, reject) => {
        socket.once("error", reject).bind(port, address, () => {
          socket.removeListener("error", reject).on("error", () => {});
          resolve();
        });
      });
    }),
  );
}

async function main(): Promise<void> {
  const name = process.env["ECHO_NAME"] ?? "echo";
  const ports = (process.env["ECHO_PORTS"] ?? "").split(",").filter((p) => p !== "");
  const say = (text: string) => process.stdout.write(`${text}\n`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
  for (const spec of ports) {
    const [port = "", protocol = "TCP"] = spec.split("/");
    if (protocol === "TCP") await serveTcp(name, Number(port));
    else if (protocol === "UDP") await serveUdp(name, Number(port));
    else say(`Port ${spec} is not served: Node has no ${protocol} sockets`);
  }
  say(`ready: ${name} serves ${ports.length > 0 ? ports.join(", ") : "nothing"}`);
  // Without ports the process would end: a pod that serves nothing still is a pod.
  setInterval(() => {}, 1 << 30);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
