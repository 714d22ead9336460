/**
 * Remote command over WebSocket, subprotocols `v5.channel.k8s.io` and `v4.channel.k8s.io`: each binary message begins
 * with the number of its channel. Version 5 adds a message that half-closes standard input.
 */

/** First byte of a message. */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Subprotocols, the preferred one first. */
export const SUBPROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

/** What a client's message means. */
export type ClientMessage =
  | { readonly kind: "stdin"; readonly data: Buffer }
  | { readonly kind: "resize"; readonly columns: number; readonly rows: number }
  | { readonly kind: "closeStdin" }
  | { readonly kind: "ignored" };

/** Reads a message; what does not fit the protocol is ignored. */
export function decodeMessage(message: Buffer): ClientMessage {
  const data = message.subarray(1);
  switch (message[0]) {
    case CHANNEL.stdin:
      return { kind: "stdin", data };
    case CHANNEL.close:
      return data[0] === CHANNEL.stdin ? { kind: "closeStdin" } : { kind: "ignored" };
    case CHANNEL.resize: {
      const size = decodeSize(data.toString("utf8"));
      return size === undefined ? { kind: "ignored" } : { kind: "resize", ...size };
    }
    default:
      return { kind: "ignored" };
  }
}

function decodeSize(text: string): { columns: number; rows: number } | undefined {
  try {
    const value = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    const [columns, rows] = [Number(value.Width), Number(value.Height)];
    const isSize = (n: number) => Number.isInteger(n) && n > 0 && n < 65536;
    return isSize(columns) && isSize(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

/** Puts the channel's number before the data. */
export function encodeMessage(channel: number, data: Uint8Array | string): Buffer {
  return Buffer.concat([Buffer.of(channel), typeof data === "string" ? Buffer.from(data) : data]);
}

/** The `v1` Status that ends a session, for the error channel. */
export function exitStatus(end: { readonly code: number } | { readonly error: string }): object {
  const base = { kind: "Status", apiVersion: "v1", metadata: {} };
  if ("error" in end) return { ...base, status: "Failure", reason: "InternalError", message: end.error, code: 500 };
  if (end.code === 0) return { ...base, status: "Success" };
  return {
    ...base,
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${end.code}`,
    details: { causes: [{ reason: "ExitCode", message: String(end.code) }] },
  };
}
