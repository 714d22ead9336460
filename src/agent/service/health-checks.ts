/**
 * Answers at `healthCheckNodePort`, as kube-proxy does: 200 where this node has ready endpoints of the service, 503 where it has none,
 * with their number in the body and as a weight. One HTTP server for each port, on all addresses of the node.
 */

import type { Server, ServerResponse } from "node:http";
import { createServer } from "../../cluster/node-http.ts";
import type { LocalHealth } from "../../service/health.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";

/** Ports that are served at most; services beyond are not answered for, and said so. */
const PORTS_MAX = 1024;
/** A client that does not finish its request. */
const REQUEST_MS = 5_000;
/** After so long a port that could not be opened is tried again. */
const AGAIN_MS = 5_000;

interface Entry {
  health: LocalHealth;
  server: Server | undefined;
  failure: string | undefined;
  failedAtMs: number;
}

/** See the file's comment. Dispose it: the ports are closed then. */
export class HealthChecks implements Disposable {
  readonly #log: Log;
  readonly #isHealthy: () => boolean;
  readonly #nowMs: () => number;
  readonly #entries = new Map<number, Entry>();
  #issues: readonly string[] = [];

  /** @param isHealthy what the kernel has is what the cluster says */
  constructor(log: Log, isHealthy: () => boolean, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#isHealthy = isHealthy;
    this.#nowMs = nowMs;
  }

  /** What of it does not work. */
  get issues(): readonly string[] {
    const failed = [...this.#entries.values()].flatMap(({ health: h, failure }) =>
      failure === undefined
        ? []
        : [`Cannot answer for ${h.namespace}/${h.name} at healthCheckNodePort ${h.port}: ${failure}`],
    );
    return [...this.#issues, ...failed];
  }

  /** Ports that are open. */
  get ports(): readonly number[] {
    return [...this.#entries].filter(([, e]) => e.server?.listening === true).map(([port]) => port);
  }

  /** Takes over what is to be answered: the whole of it. */
  update(wanted: readonly LocalHealth[]): void {
    const byPort = new Map(wanted.slice(0, PORTS_MAX).map((h) => [h.port, h]));
    this.#issues =
      wanted.length > PORTS_MAX
        ? [`${wanted.length} services have a healthCheckNodePort: the first ${PORTS_MAX} are answered for`]
        : [];
    for (const [port, entry] of this.#entries) if (!byPort.has(port)) this.#close(port, entry);
    for (const [port, health] of byPort) {
      const entry = this.#entries.get(port);
      if (entry === undefined) this.#open(port, health);
      else {
        entry.health = health;
        if (entry.server === undefined && this.#nowMs() - entry.failedAtMs >= AGAIN_MS) this.#open(port, health);
      }
    }
  }

  #open(port: number, health: LocalHealth): void {
    const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (_, response) =>
      this.#answer(port, response),
    );
    const entry: Entry = { health, server, failure: undefined, failedAtMs: 0 };
    this.#entries.set(port, entry);
    server.maxConnections = 256;
    server.on("error", (cause: NodeJS.ErrnoException) => {
      // A node without IPv6 has no such address.
      if (cause.code === "EAFNOSUPPORT" || cause.code === "EADDRNOTAVAIL") server.listen(port, "0.0.0.0");
      else this.#fail(port, entry, cause);
    });
    server.listen(port, "::");
    server.unref();
  }

  #fail(port: number, entry: Entry, cause: unknown): void {
    entry.server?.close();
    entry.server = undefined;
    entry.failure = messageOf(cause);
    entry.failedAtMs = this.#nowMs();
    const { namespace, name } = entry.health;
    this.#log.warn(
      { subject: `${namespace}/${name}`, port, failure: entry.failure },
      "cannot open a healthCheckNodePort",
    );
  }

  #answer(port: number, response: ServerResponse): void {
    const health = this.#entries.get(port)?.health;
    const { namespace = "", name = "", localEndpoints = 0 } = health ?? {};
    const serviceProxyHealthy = this.#isHealthy();
    response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
      "Content-Type": "application/json",
      "X-Content-Type-Options": "nosniff",
      "X-Load-Balancing-Endpoint-Weight": String(localEndpoints),
      Connection: "close",
    });
    response.end(
      `${JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, "\t")}\n`,
    );
  }

  #close(port: number, entry: Entry): void {
    this.#entries.delete(port);
    entry.server?.close();
    entry.server?.closeAllConnections();
  }

  [Symbol.dispose](): void {
    for (const [port, entry] of this.#entries) this.#close(port, entry);
  }
}
