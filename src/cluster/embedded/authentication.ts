/** Who asks: a client certificate of the server's own authority, or a bearer token that it issued. */

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";

/** A known user. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Tokens of one server's life. */
export interface Tokens {
  /** A new token. @param lifetimeMs undefined: for as long as the server lives */
  issue(user: User, lifetimeMs: number | undefined): string;
  find(token: string): User | undefined;
}

/** Tokens that may be valid at once; the oldest goes when one more is issued. */
const MAX_TOKENS = 10_000;

/** An empty set of tokens. */
export function createTokens(nowMs: () => number = Date.now): Tokens {
  const known = new Map<string, { readonly user: User; readonly untilMs: number }>();
  return {
    issue(user, lifetimeMs) {
      const token = randomBytes(32).toString("base64url");
      known.set(token, { user, untilMs: lifetimeMs === undefined ? Number.POSITIVE_INFINITY : nowMs() + lifetimeMs });
      const oldest = known.keys().next().value;
      if (known.size > MAX_TOKENS && oldest !== undefined) known.delete(oldest);
      return token;
    },
    find(token) {
      const entry = known.get(token);
      if (entry === undefined || entry.untilMs > nowMs()) return entry?.user;
      known.delete(token);
      return undefined;
    },
  };
}

/** The user of a pod's service account. */
export function serviceAccountUser(namespace: string, name: string): User {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  return { name: `system:serviceaccount:${namespace}:${name}`, groups };
}

/** The user of a request; undefined: nobody that is known. */
export function authenticate(req: IncomingMessage, tokens: Tokens): User | undefined {
  const socket = req.socket as TLSSocket;
  if (socket.authorized) {
    const subject = socket.getPeerCertificate()?.subject as { CN?: string; O?: string | string[] } | undefined;
    if (subject?.CN !== undefined) {
      const groups = subject.O === undefined ? [] : [subject.O].flat();
      return { name: subject.CN, groups: [...groups, "system:authenticated"] };
    }
  }
  const bearer = /^Bearer\s+(\S+)$/i.exec(req.headers.authorization ?? "");
  return bearer === null ? undefined : tokens.find(bearer[1] ?? "");
}
