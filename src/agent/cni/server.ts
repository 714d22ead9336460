/** The agent's end of the exec shim: a Unix socket for root, one call a connection, everything bounded. */

import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { CNI_CODE, cniError, formatError } from "../../cni/error.ts";
import { NEWEST_VERSION } from "../../cni/version.ts";
import { FrameReader } from "./frame-reader.ts";
import type { CallReport, Handled } from "./handler.ts";
import { Serial } from "./serial.ts";
import { decodeRequest, encodeResponse, REQUEST_MAX_BYTES, type ShimRequest } from "./shim-frame.ts";

/** Bounds; reaching one is answered with code 11 and counted. */
export interface CniServerLimits {
  readonly connections: number;
  /** Calls that wait for another of the same container. */
  readonly waiting: number;
  /** Time for a request to arrive in whole. */
  readonly requestMs: number;
}

const LIMITS: CniServerLimits = { connections: 1024, waiting: 512, requestMs: 10_000 };

/** How the server is made. */
export interface CniServerOptions {
  readonly path: string;
  readonly handle: (request: ShimRequest) => Handled | Promise<Handled>;
  /** After each call; for log and metrics. */
  readonly onCall?: (report: CallReport, durationMs: number) => void;
  readonly limits?: Partial<CniServerLimits>;
}

/** What went wrong before a call was one, since the start. */
export interface CniServerCounters {
  /** Connections open now. */
  readonly connections: number;
  /** Calls that wait now for another of the same container. */
  readonly waiting: number;
  /** Refused since a bound was reached. */
  readonly refused: number;
  /** Frames that were none, too long or too late. */
  readonly malformed: number;
  /** Calls whose caller had gone before its turn came. */
  readonly abandoned: number;
}

/** A listening server; disposing waits for calls that have begun. */
export interface CniServer extends AsyncDisposable {
  counters(): CniServerCounters;
}

/** Another agent answers at the path. */
export class SocketInUseError extends Error {
  readonly code = "SOCKET_IN_USE";

  constructor(path: string) {
    super(`Cannot listen at "${path}": another agent answers there; stop it first`);
    this.name = "SocketInUseError";
  }
}

function tryLater(msg: string): Uint8Array {
  const stdout = `${formatError(NEWEST_VERSION, cniError(CNI_CODE.tryAgainLater, msg))}\n`;
  return encodeResponse({ exitCode: 1, stdout, stderr: "" });
}

class Connections {
  readonly #options: CniServerOptions;
  readonly #limits: CniServerLimits;
  readonly #serial: Serial;
  readonly #open = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();
  #refused = 0;
  #malformed = 0;
  #abandoned = 0;

  constructor(options: CniServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#serial = new Serial(this.#limits.waiting);
  }

  counters(): CniServerCounters {
    const [refused, malformed, abandoned] = [this.#refused, this.#malformed, this.#abandoned];
    return { connections: this.#open.size, waiting: this.#serial.waiting, refused, malformed, abandoned };
  }

  accept(socket: Socket): void {
    // A caller that went away is no event: runtimes kill plugins that take too long. The shim never closes one half.
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    if (this.#open.size >= this.#limits.connections) {
      this.#refused++;
      // What it says is taken and thrown away: closed with bytes unread, it would not hear the answer.
      socket.resume();
      this.#finish(socket, tryLater(`Twill's agent serves ${this.#limits.connections} calls already`));
      return;
    }
    this.#open.add(socket);
    const reader = new FrameReader(REQUEST_MAX_BYTES);
    const timer = setTimeout(() => this.#drop(socket), this.#limits.requestMs);
    socket.on("close", () => {
      clearTimeout(timer);
      this.#open.delete(socket);
    });
    socket.on("data", (piece: Buffer) => {
      const body = reader.push(piece);
      if (!body.ok) return this.#drop(socket);
      if (body.value === undefined) return;
      clearTimeout(timer);
      const request = decodeRequest(body.value);
      if (!request.ok) return this.#drop(socket);
      this.#start(socket, request.value);
    });
  }

  #drop(socket: Socket): void {
    this.#malformed++;
    socket.destroy();
  }

  /** Answers; a caller that does not go by itself is put out. */
  #finish(socket: Socket, answer: Uint8Array): void {
    socket.end(answer);
    socket.setTimeout(this.#limits.requestMs, () => socket.destroy());
  }

  #start(socket: Socket, request: ShimRequest): void {
    const name = request.env["CNI_CONTAINERID"] ?? "";
    if (this.#serial.isFull(name)) {
      this.#refused++;
      this.#finish(socket, tryLater(`${this.#limits.waiting} calls wait for others of the same container`));
      return;
    }
    const done = this.#serial.run(name, () => this.#call(socket, request));
    const tracked = done.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #call(socket: Socket, request: ShimRequest): Promise<void> {
    // The DEL that follows a killed ADD may have been here before: nothing would take this attachment down again.
    if (socket.destroyed && request.env["CNI_COMMAND"] === "ADD") {
      this.#abandoned++;
      return;
    }
    const start = performance.now();
    const outcome = this.#options.handle(request);
    const handled = outcome instanceof Promise ? await outcome : outcome;
    this.#finish(socket, encodeResponse(handled.response));
    this.#options.onCall?.(handled.report, performance.now() - start);
  }

  async drain(): Promise<void> {
    for (const socket of this.#open) if (this.#running.size === 0) socket.destroy();
    await Promise.allSettled(this.#running);
    for (const socket of this.#open) socket.destroySoon();
  }
}

/** Whether somebody answers at the path. */
export async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createConnection(path);
  probe.once("connect", () => resolve(true));
  probe.once("error", () => resolve(false));
  const result = await promise;
  probe.destroy();
  return result;
}

async function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ path, backlog: 1024 }, resolve);
  await promise;
  server.off("error", reject);
}

function identity(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/**
 * Listens at the path, which a dead predecessor's socket may occupy: the new one takes its place in one step.
 * @throws SocketInUseError
 */
export async function listenCni(options: CniServerOptions): Promise<CniServer> {
  const { path } = options;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await isAnswered(path)) throw new SocketInUseError(path);
  const connections = new Connections(options);
  const server = createServer({ allowHalfOpen: true }, (socket) => connections.accept(socket));
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  await listen(server, fresh);
  let own: string | undefined;
  try {
    // Nobody connects to it under this name: the mode is right before the name that callers know leads to it.
    chmodSync(fresh, 0o600);
    own = identity(fresh);
    renameSync(fresh, path);
  } catch (cause) {
    // A server that nobody closes keeps its process from ending.
    server.close();
    rmSync(fresh, { force: true });
    throw new Error(`Cannot put the plugin's socket at "${path}": ${(cause as Error).message}`, { cause });
  }
  return {
    counters: () => connections.counters(),
    async [Symbol.asyncDispose]() {
      // First the name: callers that come now go to the offline program instead of waiting for a server that ends.
      if (identity(path) === own) rmSync(path, { force: true });
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      await connections.drain();
      await closed;
    },
  };
}
