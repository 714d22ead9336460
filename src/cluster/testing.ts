/** For tests: a running embedded API, a connection to it, and a proxy whose connections can be cut. */

import { request } from "node:https";
import { connect, createServer, type Socket } from "node:net";
import { unwrap } from "../base/result.ts";
import { createEmbeddedApi } from "./embedded/embedded-api.ts";
import type { EmbeddedApi, EmbeddedApiOptions } from "./embedded/types.ts";
import { type Connection, createConnection } from "./kube/connection.ts";
import type { ConnectionConfig } from "./kube/credentials.ts";
import { parseKubeconfig } from "./kube/kubeconfig.ts";

/** A server on a free port of 127.0.0.1. */
export interface TestApi extends AsyncDisposable {
  readonly api: EmbeddedApi;
  readonly port: number;
  readonly config: ConnectionConfig;
  readonly connection: Connection;
  /** Failures that no client was told of. */
  readonly errors: unknown[];
}

/** A connection without credentials, but for its server. */
export const PLAIN = {
  ca: undefined,
  isInsecure: false,
  tlsServerName: undefined,
  clientCert: undefined,
  clientKey: undefined,
  token: undefined,
  basic: undefined,
};

/** The administrator's way to a port that leads to the server. */
export function configFor(api: EmbeddedApi, port: number): ConnectionConfig {
  return unwrap(parseKubeconfig(api.kubeconfig(`https://127.0.0.1:${port}`), "/"));
}

/** Starts a server. */
export async function startTestApi(options: EmbeddedApiOptions = {}): Promise<TestApi> {
  const errors: unknown[] = [];
  const api = await createEmbeddedApi({ onError: (e) => errors.push(e), ...options });
  const { port } = await api.listen({ host: "127.0.0.1", port: 0 });
  const config = configFor(api, port);
  const connection = createConnection(config, { userAgent: "twill-test", perSecond: 1000, burst: 1000 });
  return {
    api,
    port,
    config,
    connection,
    errors,
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

/** A request whose body and answer are bytes. */
export interface BytesRequest {
  readonly config: ConnectionConfig;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: Buffer;
  /** Of the body; JSON unless said. */
  readonly type?: string;
  /** JSON unless said. */
  readonly accept?: string;
}

/** The answer's bytes, asked by the client certificate. @throws Error for a refusal, with what it says */
export function askBytes(a: BytesRequest): Promise<Buffer> {
  const value = (secret: ConnectionConfig["ca"]) => (secret?.kind === "value" ? secret.text : "");
  const [ca, cert, key] = [value(a.config.ca), value(a.config.clientCert), value(a.config.clientKey)];
  const headers = {
    accept: a.accept ?? "application/json",
    "content-type": a.type ?? "application/json",
    "content-length": a.body?.length ?? 0,
  };
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const signal = AbortSignal.timeout(60_000);
  const req = request(a.config.server + a.path, { method: a.method, ca, cert, key, headers, signal }, (res) => {
    res.toArray().then((chunks) => {
      const bytes = Buffer.concat(chunks as Buffer[]);
      if ((res.statusCode ?? 0) < 300) resolve(bytes);
      else reject(new Error(`${a.method} ${a.path}: ${res.statusCode} ${bytes.toString("utf8")}`));
    }, reject);
  });
  req.once("error", reject);
  req.end(a.body);
  return promise;
}

/** A TCP proxy that can cut what goes through it. */
export interface CuttableProxy extends AsyncDisposable {
  readonly port: number;
  /** Breaks all connections; new ones are taken again. */
  cut(): void;
  /** Takes no connections until `open`; also breaks those there are. */
  close(): void;
  open(): void;
  /** Connections taken so far. */
  taken(): number;
}

/** Starts a proxy to a port of 127.0.0.1. */
export async function startProxy(target: number): Promise<CuttableProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isOpen = true;
  let taken = 0;
  const server = createServer((client) => {
    client.on("error", () => {});
    if (!isOpen) {
      client.resetAndDestroy();
      return;
    }
    taken++;
    const upstream = connect(target, "127.0.0.1");
    upstream.on("error", () => {});
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.pipe(upstream).pipe(client);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.once("close", end);
    upstream.once("close", end);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const [client, upstream] of [...pairs]) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    close() {
      isOpen = false;
      cut();
    },
    open() {
      isOpen = true;
    },
    taken: () => taken,
    [Symbol.asyncDispose]() {
      isOpen = false;
      cut();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

/** Resolves when a condition holds; asked again after each event-loop turn and some milliseconds. @throws Error after the deadline */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 60_000,
): Promise<void> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const isLast = performance.now() > until;
    if (await holds()) return;
    if (isLast) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
