/**
 * What the exec shim and the agent say to each other over the socket: one request, one response, then the end.
 *
 * ```
 * request   "TWC1"  u32 body bytes   u32 variables { u32 bytes, "NAME=VALUE" }…   u32 bytes, standard input
 * response  "TWC1"  u32 body bytes   u32 exit code   u32 bytes, standard output   u32 bytes, standard error
 * ```
 *
 * All numbers are little-endian. native/shim.c speaks the other side.
 */

import { err, ok, type Result } from "../../base/result.ts";
import type { CniEnvironment } from "../../cni/environment.ts";
import { STDIN_MAX_BYTES } from "../../cni/parse.ts";

/** Bytes before the body. */
export const FRAME_HEADER_BYTES = 8;

/** Longest body of a request: standard input and 64 KiB of variables. */
export const REQUEST_MAX_BYTES = STDIN_MAX_BYTES + (64 << 10);

const MAGIC = [0x54, 0x57, 0x43, 0x31] as const;
const VARIABLES_MAX = 64;

/** What the shim sends. */
export interface ShimRequest {
  readonly env: CniEnvironment;
  readonly stdin: string;
}

/** What the shim does: write both, exit with the code. */
export interface ShimResponse {
  /** 0 … 255 */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Length of the body that a header announces; refuses strangers and what is longer than `maxBytes`. */
export function readFrameHeader(header: Uint8Array, maxBytes: number): Result<number> {
  if (header.length < FRAME_HEADER_BYTES || MAGIC.some((byte, i) => header[i] !== byte))
    return err("It does not start as a frame of Twill's shim");
  const length = view(header).getUint32(4, true);
  return length <= maxBytes ? ok(length) : err(`It announces ${length} bytes, and ${maxBytes} are allowed`);
}

/** Takes the body of a request apart. Hostile bytes give a refusal, never an exception. */
export function decodeRequest(body: Uint8Array): Result<ShimRequest> {
  let at = 0;
  const number = (): number | undefined => {
    if (body.length - at < 4) return undefined;
    const n = view(body).getUint32(at, true);
    at += 4;
    return n;
  };
  const bytes = (): Uint8Array | undefined => {
    const length = number();
    if (length === undefined || length > body.length - at) return undefined;
    at += length;
    return body.subarray(at - length, at);
  };
  const count = number();
  if (count === undefined || count > VARIABLES_MAX) return err(`It has not 0 to ${VARIABLES_MAX} variables`);
  const env: Record<string, string> = Object.create(null);
  for (let i = 0; i < count; i++) {
    const variable = bytes();
    const text = variable === undefined ? "" : new TextDecoder().decode(variable);
    const equals = text.indexOf("=");
    if (equals < 1) return err(`Variable ${i} is cut off or not NAME=VALUE`);
    env[text.slice(0, equals)] = text.slice(equals + 1);
  }
  const stdin = bytes();
  if (stdin === undefined || at !== body.length) return err("Its parts do not fill it");
  return ok({ env, stdin: new TextDecoder().decode(stdin) });
}

function frame(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, p) => sum + p.length, 0);
  const out = new Uint8Array(FRAME_HEADER_BYTES + length);
  out.set(MAGIC);
  view(out).setUint32(4, length, true);
  let at = FRAME_HEADER_BYTES;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function u32(n: number): Uint8Array {
  const out = new Uint8Array(4);
  view(out).setUint32(0, n, true);
  return out;
}

function counted(bytes: Uint8Array): readonly Uint8Array[] {
  return [u32(bytes.length), bytes];
}

/** A whole response frame. */
export function encodeResponse(response: ShimResponse): Uint8Array {
  const text = (s: string) => counted(new TextEncoder().encode(s));
  return frame([u32(response.exitCode), ...text(response.stdout), ...text(response.stderr)]);
}

/** A whole request frame, as the shim sends it; for tests and for callers without the shim. */
export function encodeRequest(request: ShimRequest): Uint8Array {
  const text = (s: string) => counted(new TextEncoder().encode(s));
  const variables = Object.entries(request.env).map(([k, v]) => `${k}=${v}`);
  return frame([u32(variables.length), ...variables.flatMap(text), ...text(request.stdin)]);
}

/** Takes the body of a response apart. */
export function decodeResponse(body: Uint8Array): Result<ShimResponse> {
  const v = view(body);
  if (body.length < 12) return err("It is cut off");
  const stdoutBytes = v.getUint32(4, true);
  if (stdoutBytes > body.length - 12) return err("It is cut off");
  const stderrBytes = v.getUint32(8 + stdoutBytes, true);
  if (12 + stdoutBytes + stderrBytes !== body.length) return err("Its parts do not fill it");
  const text = (from: number, length: number) => new TextDecoder().decode(body.subarray(from, from + length));
  return ok({
    exitCode: v.getUint32(0, true),
    stdout: text(8, stdoutBytes),
    stderr: text(12 + stdoutBytes, stderrBytes),
  });
}
