/**
 * The agent's small HTTP servers: control (everything, Unix socket, root only), and what the configuration opens on TCP
 * for metrics and health. Answers are small or bounded by how fast they are taken, connections few: nothing here can hold the agent up.
 */

import { chmodSync, rmSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "../cluster/node-http.ts";
import { hostPortText } from "../net/host-port.ts";
import type { ListenAddress } from "./config/fields.ts";

/** Where the parts of an answer without an end go. */
export interface Sink {
  write(text: string): void;
  /** Bytes that the client has not taken yet. */
  waitingBytes(): number;
  /** Calls once when it has taken all of them. Only while some wait. */
  whenEmpty(listener: () => void): void;
}

/** An answer. */
export interface Reply {
  readonly status: number;
  /** A string goes out as it is; anything else as JSON. */
  readonly body: unknown;
  readonly contentType?: string;
  /** Goes on after the body until the client has gone; then what this returns is disposed. */
  readonly stream?: (sink: Sink) => Disposable;
}

/** Answers by `METHOD /path`. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Reply | Promise<Reply>>>;

const MAX_CONNECTIONS = 64;
const TIMEOUT_MS = 10_000;

/** JSON in which 64-bit figures are decimal text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
}

async function answer(routes: Routes, req: IncomingMessage, res: ServerResponse): Promise<void> {
  // Nothing that is sent to us is ever read: a body is waste.
  req.resume();
  const [path = "", query = ""] = (req.url ?? "").split("?", 2);
  const route = routes[`${req.method} ${path}`];
  const known = Object.keys(routes).join(", ");
  const reply =
    route === undefined ? { status: 404, body: { error: `There is only ${known}` } } : await run(route, query);
  const isText = typeof reply.body === "string";
  res.writeHead(reply.status, {
    "content-type": reply.contentType ?? (isText ? "text/plain; charset=utf-8" : "application/json"),
  });
  if (reply.stream !== undefined) return goOn(reply.stream, `${reply.body}`, res);
  res.end(isText ? reply.body : `${toJson(reply.body)}\n`);
}

function goOn(stream: NonNullable<Reply["stream"]>, body: string, res: ServerResponse): void {
  // The client learns at once that it is served, also when there is nothing to say yet.
  res.flushHeaders();
  if (body !== "") res.write(body);
  const streaming = stream({
    write: (text) => void (text !== "" && res.write(text)),
    waitingBytes: () => res.writableLength,
    whenEmpty: (listener) => res.once("drain", listener),
  });
  if (res.closed) streaming[Symbol.dispose]();
  else res.once("close", () => streaming[Symbol.dispose]());
}

async function run(route: Routes[string], query: string): Promise<Reply> {
  try {
    return await route(new URLSearchParams(query));
  } catch (cause) {
    return { status: 500, body: { error: cause instanceof Error ? cause.message : String(cause) } };
  }
}

function makeServer(routes: Routes): Server {
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: 5_000 });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (req, res) => {
    answer(routes, req, res).catch(() => res.destroy());
  });
  return server;
}

/** A server that listens. */
export interface HttpServer extends AsyncDisposable {
  /** Port, for `:0`. */
  readonly port: number | undefined;
}

/** @throws Error that names where it cannot listen */
function opened(server: Server, where: string, listen: (done: () => void) => void): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(cannotListen(where, cause));
    server.once("error", fail);
    listen(() => {
      server.off("error", fail);
      // A client that vanishes is no reason to end.
      server.on("error", () => undefined);
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : undefined,
        [Symbol.asyncDispose]: () =>
          new Promise<void>((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function cannotListen(where: string, cause: Error): Error {
  return new Error(`Cannot listen at "${where}": ${cause.message}`, { cause });
}

/**
 * Listens on a Unix socket that only root may use; what a killed predecessor left at the path is replaced.
 * @throws Error where it cannot, as where a directory stands
 */
export async function listenUnix(path: string, routes: Routes): Promise<HttpServer> {
  const server = makeServer(routes);
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    throw cannotListen(path, cause as Error);
  }
  const http = await opened(server, path, (done) => server.listen(path, done));
  chmodSync(path, 0o600);
  return http;
}

/** Listens on TCP. @throws Error when the address cannot be had */
export function listenTcp(address: ListenAddress, routes: Routes): Promise<HttpServer> {
  const server = makeServer(routes);
  const { port, host } = address;
  return opened(server, hostPortText(host, port), (done) => server.listen({ port, host: host || undefined }, done));
}
