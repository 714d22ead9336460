/** What all handlers of one server share, and what belongs to one request. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Tokens, User } from "./authentication.ts";
import type { Operations } from "./operations.ts";
import type { Pager } from "./paging.ts";
import type { Registry } from "./registry.ts";
import type { Storage } from "./storage.ts";
import type { KubeletStreams, ObjectClient } from "./types.ts";
import type { WatchStats } from "./watch-stream.ts";

/** The server's parts. */
export interface ServerContext {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly operations: Operations;
  readonly objects: ObjectClient;
  readonly pager: Pager;
  readonly tokens: Tokens;
  readonly watches: WatchStats;
  readonly kubelet: KubeletStreams | undefined;
  readonly onError: (error: unknown, doing: string) => void;
}

/** One request of a known user. */
export interface Exchange {
  readonly server: ServerContext;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly pathname: string;
  readonly query: URLSearchParams;
  readonly user: User;
}
