/** `kubectl exec` and `attach`: WebSocket upgrades joined to a command that the pod's kubelet runs. */

import type { IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ApiError, badRequest, forbidden, noSuchPath } from "./api-error.ts";
import type { User } from "./authentication.ts";
import { attributesOf, describeRefusal, isAllowed } from "./authorization.ts";
import type { ServerContext } from "./context.ts";
import { CHANNEL, decodeMessage, encodeMessage, exitStatus, SUBPROTOCOLS } from "./exec-protocol.ts";
import { parseResourcePath, queryFlag } from "./http-request.ts";
import { containerOf, kubeletOf } from "./pod-log.ts";
import type { ExecRequest, ExecSession, KubeletStreams } from "./types.ts";

/** Bytes that may wait for a slow client before the command's output is held back. */
const MAX_PENDING_BYTES = 1024 * 1024;
/** A session whose client does not answer a ping for this long is ended. */
const PING_EVERY_MS = 15_000;

interface Wanted {
  readonly request: ExecRequest;
  readonly open: (signal: AbortSignal) => Promise<ExecSession>;
}

function refuse(socket: Duplex, error: unknown): void {
  const refusal = error instanceof ApiError ? error : badRequest(String(error));
  const body = JSON.stringify(refusal.toStatus());
  const head = [
    `HTTP/1.1 ${refusal.httpStatus} ${refusal.code}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function wantedOf(server: ServerContext, req: IncomingMessage, user: User): Wanted {
  const url = new URL(req.url ?? "/", "https://api");
  const path = parseResourcePath(url.pathname);
  const { namespace, name, subresource } = path ?? {};
  const r = server.registry.byPlural("", "v1", "pods");
  if (path?.plural !== "pods" || path.group !== "" || r === undefined || name === undefined || namespace === undefined)
    throw noSuchPath();
  if (subresource !== "exec" && subresource !== "attach") throw noSuchPath();
  // WebSocket clients come by GET; the permission is the one to create, as for those that come by POST.
  const attributes = attributesOf(path, "create");
  if (!isAllowed(server.storage, user, attributes)) throw forbidden(r, name, describeRefusal(user, attributes));
  const pod = server.operations.get(r, namespace, name);
  const query = url.searchParams;
  const kubelet: KubeletStreams = kubeletOf(server.kubelet, pod);
  const command = query.getAll("command");
  if (subresource === "exec" && command.length === 0)
    throw badRequest("you must specify at least one command for the container");
  const tty = queryFlag(query, "tty");
  const request: ExecRequest = {
    namespace,
    pod: name,
    container: containerOf(pod, query.get("container")),
    command,
    tty,
    stdin: queryFlag(query, "stdin"),
    stdout: queryFlag(query, "stdout"),
    stderr: queryFlag(query, "stderr") && !tty,
  };
  const { attach } = kubelet;
  if (subresource === "exec") return { request, open: (signal) => kubelet.exec(request, signal) };
  if (attach === undefined) throw badRequest("attach is not supported by this kubelet");
  return { request, open: (signal) => attach.call(kubelet, request, signal) };
}

/** Sends a stream on a channel, no faster than the client takes it. Resolves at its end. */
function forward(socket: WebSocket, channel: number, source: Readable | undefined): Promise<void> {
  if (source === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    source.on("data", (data: Buffer) => {
      socket.send(encodeMessage(channel, data), () => {
        if (source.isPaused() && socket.bufferedAmount < MAX_PENDING_BYTES) source.resume();
      });
      if (socket.bufferedAmount >= MAX_PENDING_BYTES) source.pause();
    });
    source.once("close", resolve);
    source.once("end", resolve);
    source.once("error", () => resolve());
  });
}

function receive(socket: WebSocket, session: ExecSession): void {
  const { stdin } = session;
  // A command that closed its input, or ended, is no failure of the session.
  stdin?.on("error", () => {});
  socket.on("message", (message: Buffer) => {
    const m = decodeMessage(message);
    if (m.kind === "resize") session.resize(m.columns, m.rows);
    else if (m.kind === "closeStdin") stdin?.end();
    else if (m.kind === "stdin" && stdin !== undefined && !stdin.destroyed && !stdin.writableEnded) {
      if (stdin.write(m.data)) return;
      socket.pause();
      stdin.once("drain", () => socket.resume());
    }
  });
}

function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  socket.on("pong", () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, PING_EVERY_MS);
  socket.once("close", () => clearInterval(timer));
}

async function runSession(socket: WebSocket, wanted: Wanted): Promise<void> {
  const aborted = new AbortController();
  socket.once("close", () => aborted.abort());
  socket.on("error", () => socket.terminate());
  // Messages that come before the command runs wait in the socket.
  socket.pause();
  let end: { code: number } | { error: string };
  try {
    const session = await wanted.open(aborted.signal);
    aborted.signal.addEventListener("abort", () => session.kill(), { once: true });
    if (aborted.signal.aborted) return session.kill();
    receive(socket, session);
    socket.resume();
    keepAlive(socket);
    const outputs = [forward(socket, CHANNEL.stdout, session.stdout), forward(socket, CHANNEL.stderr, session.stderr)];
    end = await session.exit;
    await Promise.all(outputs);
  } catch (error) {
    end = { error: (error as Error).message };
  }
  if (socket.readyState !== socket.OPEN) return;
  socket.resume();
  socket.send(encodeMessage(CHANNEL.error, JSON.stringify(exitStatus(end))));
  socket.close(1000);
}

/** The handler of `upgrade` events. */
export function createExecUpgrade(
  server: ServerContext,
): (req: IncomingMessage, socket: Duplex, head: Buffer, user: User | undefined) => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 32 * 1024 * 1024,
    handleProtocols: (offered) => SUBPROTOCOLS.find((p) => offered.has(p)) ?? false,
  });
  return (req, socket, head, user) => {
    socket.on("error", () => socket.destroy());
    try {
      if (user === undefined) throw new ApiError(401, "Unauthorized", "Unauthorized");
      if ((req.headers.upgrade ?? "").toLowerCase() !== "websocket")
        throw badRequest(
          `"${req.headers.upgrade}" is not spoken here: exec and attach need a client with WebSocket (kubectl 1.31 or newer)`,
        );
      const offered = (req.headers["sec-websocket-protocol"] ?? "").split(",").map((p) => p.trim());
      if (!SUBPROTOCOLS.some((p) => offered.includes(p)))
        throw badRequest(
          `None of the subprotocols "${offered.join(", ")}" is spoken here: ${SUBPROTOCOLS.join(" or ")} is wanted`,
        );
      const wanted = wantedOf(server, req, user);
      sockets.handleUpgrade(req, socket, head, (ws) => {
        runSession(ws, wanted).catch((error: unknown) =>
          server.onError(error, `exec in ${wanted.request.namespace}/${wanted.request.pod}`),
        );
      });
    } catch (error) {
      refuse(socket, error);
    }
  };
}
