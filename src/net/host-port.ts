/** A host and a port as people write them: an IPv6 address in brackets (RFC 3986 section 3.2.2). */

/** `HOST:PORT` or `[HOST]:PORT`. */
export function hostPortText(host: string, port: number | string): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
