/** Writing of answers. */

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import type { KubeObject } from "./types.ts";

const texts = new WeakMap<object, string>();

/** JSON of a stored object, made once for all who are sent it. */
export function objectText(object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    texts.set(object, text);
  }
  return text;
}

/** Sends JSON. */
export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  sendText(res, status, "application/json", JSON.stringify(value));
}

/** Sends a whole body. */
export function sendText(res: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-cache, private",
  });
  res.end(body);
}

/** Sends a refusal; anything but an {@link ApiError} is an internal error whose text stays here. */
export function sendError(res: ServerResponse, error: unknown): void {
  const refusal =
    error instanceof ApiError ? error : new ApiError(500, "InternalError", `Internal error occurred: ${String(error)}`);
  const seconds = refusal.details?.retryAfterSeconds;
  if (seconds !== undefined && !res.headersSent) res.setHeader("retry-after", seconds);
  sendJson(res, refusal.httpStatus, refusal.toStatus());
}

/** Adds a warning that kubectl shows (RFC 7234 section 5.5, code 299). */
export function addWarning(res: ServerResponse, text: string): void {
  if (!res.headersSent) res.appendHeader("warning", `299 - ${JSON.stringify(text.replace(/[^\x20-\x7e]/g, "?"))}`);
}

/** Writes as fast as the client reads. Ends early when the client has gone. */
export async function writeChunks(res: ServerResponse, chunks: Iterable<string>): Promise<void> {
  let pending: string[] = [];
  let size = 0;
  for (const chunk of chunks) {
    pending.push(chunk);
    size += chunk.length;
    if (size < 256 * 1024) continue;
    if (res.destroyed) return;
    const isFull = !res.write(pending.join(""));
    pending = [];
    size = 0;
    if (isFull) await Promise.race([once(res, "drain"), once(res, "close")]);
  }
  if (!res.destroyed) res.end(pending.join(""));
}
