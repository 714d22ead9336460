/**
 * Requests to one Kubernetes API over kept-alive connections. Credentials in files are read again after a while, since
 * tokens of service accounts and certificates of kubelets are replaced while they are in use.
 */

import { readFile } from "node:fs/promises";
import type { Agent, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { Agent as HttpAgent, request as httpRequest } from "../node-http.ts";
import { ClusterError } from "../source.ts";
import type { ConnectionConfig, Secret } from "./credentials.ts";
import { createRateLimit, type RateLimit } from "./rate-limit.ts";

/** Credentials from files are believed for this long. */
const RELOAD_AFTER_MS = 30_000;
/** Largest answer that is read as a whole. A page of 500 large pods is some megabytes. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 60_000;
/** Dead peers are noticed by the kernel's probes after this pause (and about ten more seconds). */
const TCP_KEEPALIVE_MS = 15_000;
const MAX_SOCKETS = 64;

/** One request. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With query, as `/api/v1/nodes?limit=500`. */
  readonly path: string;
  readonly body?: unknown;
  /** Media type of the body; default `application/json`. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/** A connection to an API. */
export interface Connection extends Disposable {
  readonly server: string;
  /** Sends and reads the whole answer as JSON. @throws ClusterError for every answer but 2xx */
  json(request: ApiRequest): Promise<unknown>;
  /** Sends and gives the answer's body while it comes, for watches. The signal ends it. @throws ClusterError for every answer but 2xx */
  stream(request: ApiRequest): Promise<IncomingMessage>;
}

/** How a connection behaves. */
export interface ConnectionOptions {
  readonly userAgent: string;
  /** Requests a second on average, and at once. Default 50 and 100, as a kubelet has. */
  readonly perSecond?: number;
  readonly burst?: number;
}

interface Loaded {
  readonly agent: Agent;
  readonly authorization: string | undefined;
  readonly fingerprint: string;
  readonly atMs: number;
}

async function readSecret(secret: Secret | undefined, what: string): Promise<string | undefined> {
  if (secret === undefined) return undefined;
  if (secret.kind === "value") return secret.text;
  try {
    return await readFile(secret.path, "utf8");
  } catch (cause) {
    throw new ClusterError(`Cannot read ${what} "${secret.path}": ${(cause as Error).message}`, "BadConfig", 0, {
      cause,
    });
  }
}

async function load(config: ConnectionConfig, old: Loaded | undefined): Promise<Loaded> {
  const [ca, cert, key, token] = await Promise.all([
    readSecret(config.ca, "certificate authority"),
    readSecret(config.clientCert, "client certificate"),
    readSecret(config.clientKey, "client key"),
    readSecret(config.token, "token"),
  ]);
  const { basic } = config;
  const password = basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}`;
  const authorization = token === undefined ? password : `Bearer ${token.trim()}`;
  const fingerprint = JSON.stringify([ca, cert, key]);
  const atMs = performance.now();
  if (old?.fingerprint === fingerprint) return { ...old, authorization, atMs };
  // Requests on the old agent end by themselves; only its idle connections are closed.
  old?.agent.destroy();
  const pool = { keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxSockets: MAX_SOCKETS, maxFreeSockets: 4 };
  if (config.server.startsWith("http:")) return { agent: new HttpAgent(pool), authorization, fingerprint, atMs };
  const host = new URL(config.server).hostname.replace(/^\[|\]$/g, "");
  const servername = config.tlsServerName ?? (isIP(host) === 0 ? host : "");
  const agent = new HttpsAgent({
    ...pool,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    servername,
    rejectUnauthorized: !config.isInsecure,
    minVersion: "TLSv1.2",
  });
  return { agent, authorization, fingerprint, atMs };
}

async function readWhole(res: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of res as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`The answer is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(request: ApiRequest, res: IncomingMessage, body: string): ClusterError {
  let reason = `HTTP ${res.statusCode}`;
  let message = body.slice(0, 300);
  try {
    const status = JSON.parse(body) as { reason?: string; message?: string };
    reason = status.reason || reason;
    message = status.message || message;
  } catch {
    // A proxy's page, not the API's word: its beginning says enough.
  }
  const seconds = Number(res.headers["retry-after"]);
  const wait = Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: Math.min(seconds, 300) * 1000 } : {};
  return new ClusterError(`Cannot ${request.method} ${request.path}: ${message}`, reason, res.statusCode ?? 0, wait);
}

function unreachable(request: ApiRequest, server: string, cause: Error): ClusterError {
  const detail = cause instanceof AggregateError ? cause.errors.map((e: Error) => e.message).join(", ") : cause.message;
  const code = request.signal.aborted ? "Aborted" : "Unreachable";
  return new ClusterError(`Cannot ${request.method} ${request.path} at ${server}: ${detail}`, code, 0, { cause });
}

/** A connection; nothing is sent before the first request. */
export function createConnection(config: ConnectionConfig, options: ConnectionOptions): Connection {
  const limit: RateLimit = createRateLimit(options.perSecond ?? 50, options.burst ?? 100);
  const send = config.server.startsWith("http:") ? httpRequest : httpsRequest;
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;

  async function current(): Promise<Loaded> {
    if (loaded !== undefined && performance.now() - loaded.atMs < RELOAD_AFTER_MS) return loaded;
    loading ??= load(config, loaded).finally(() => {
      loading = undefined;
    });
    loaded = await loading;
    return loaded;
  }

  async function exchange(request: ApiRequest, timeoutMs: number): Promise<IncomingMessage> {
    await limit.take(request.signal).catch((cause: unknown) => {
      throw unreachable(request, config.server, cause as Error);
    });
    const { agent, authorization } = await current();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers: Record<string, string | number> = { accept: "application/json", "user-agent": options.userAgent };
    if (authorization !== undefined) headers["authorization"] = authorization;
    if (body !== undefined) {
      headers["content-type"] = request.contentType ?? "application/json";
      headers["content-length"] = Buffer.byteLength(body);
    }
    return new Promise((resolve, reject) => {
      const { method, signal } = request;
      const req = send(config.server + request.path, { agent, method, headers, signal }, (res) => {
        clearTimeout(timer);
        resolve(res);
      });
      const late = () => req.destroy(new Error(`No answer within ${timeoutMs / 1000} s`));
      const timer = setTimeout(late, timeoutMs);
      req.on("error", (cause) => {
        clearTimeout(timer);
        reject(unreachable(request, config.server, cause));
      });
      req.end(body);
    });
  }

  async function checked(request: ApiRequest): Promise<IncomingMessage> {
    const res = await exchange(request, REQUEST_TIMEOUT_MS);
    if (res.statusCode !== undefined && res.statusCode >= 200 && res.statusCode < 300) return res;
    // A refused token may have been replaced a moment ago.
    if (res.statusCode === 401) loaded = loaded && { ...loaded, atMs: Number.NEGATIVE_INFINITY };
    const body = await readWhole(res).catch((error: unknown) => String(error));
    throw refusal(request, res, body);
  }

  return {
    server: config.server,
    async json(request) {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(2 * REQUEST_TIMEOUT_MS)]);
      const res = await checked({ ...request, signal });
      let text: string;
      try {
        text = await readWhole(res);
      } catch (cause) {
        throw unreachable(request, config.server, cause as Error);
      }
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        const message = `Cannot read the answer to ${request.method} ${request.path}: ${(cause as Error).message}`;
        throw new ClusterError(message, "BadAnswer", res.statusCode ?? 0, { cause });
      }
    },
    stream: checked,
    [Symbol.dispose]() {
      loaded?.agent.destroy();
    },
  };
}
