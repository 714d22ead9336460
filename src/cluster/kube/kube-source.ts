/** A cluster source over a Kubernetes API. */

import type { ClusterSource, ClusterTable } from "../source.ts";
import { createSourceState } from "../source-state.ts";
import { TABLE_KINDS, type TableKind } from "../tables.ts";
import { followCollections } from "./collections.ts";
import { createConnection } from "./connection.ts";
import type { ConnectionConfig } from "./credentials.ts";
import { nodeWrites } from "./node-writes.ts";
import { createTableSink } from "./table-sink.ts";

/** Watches end after 5 to 10 minutes and are resumed. */
const WATCH_SECONDS = 300;

/** How the source behaves. */
export interface KubeSourceOptions {
  readonly config: ConnectionConfig;
  readonly userAgent: string;
  /** What is followed; the other tables stay empty, and the API is not asked for them. Default: all. */
  readonly tables?: readonly ClusterTable[];
  /** Default `stream`, see {@link ListWatchOptions.initialList}. */
  readonly initialList?: "stream" | "pages";
  /** Objects in a page of a list. Default 250: about a megabyte of JSON at once, not a hundred. */
  readonly pageSize?: number;
  /** Default: 200 ms doubled to 30 s. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
  /** Default 30,000: see {@link followCollections}. */
  readonly absentRetryMs?: number;
  /** Told of every failure, for the log. */
  readonly onFailure?: (error: unknown, kind: string) => void;
  readonly random?: () => number;
}

/** A source that connects when it is run. */
export function createKubeSource(options: KubeSourceOptions): ClusterSource {
  const kinds = TABLE_KINDS.filter((k) => !k.isOnDemand && (options.tables?.includes(k.table) ?? true));
  const state = createSourceState(Date.now, kinds);
  const connection = createConnection(options.config, { userAgent: options.userAgent });
  const onFailure = (error: unknown, kind: TableKind) => options.onFailure?.(error, kind.kind);

  function follow(kind: TableKind, signal: AbortSignal): Promise<void> {
    const sink = createTableSink(kind, state, onFailure);
    const how = {
      connection,
      paths: kind.collections.map((c) => c.path),
      isOptional: kind.isOptional,
      absentRetryMs: options.absentRetryMs ?? 30_000,
      initialList: options.initialList ?? ("stream" as const),
      pageSize: options.pageSize ?? 250,
      backoff: options.backoff ?? { firstMs: 200, maxMs: 30_000 },
      watchSeconds: WATCH_SECONDS,
      random: options.random ?? Math.random,
    };
    return followCollections(how, sink, signal);
  }

  /** What is followed; once it runs, what is added begins at once. */
  const following: TableKind[] = [...kinds];
  let begin: ((kind: TableKind) => void) | undefined;

  return {
    description: options.config.server,
    want(tables) {
      for (const table of tables) {
        const kind = TABLE_KINDS.find((k) => k.table === table);
        if (kind === undefined || !state.add(table)) continue;
        following.push(kind);
        begin?.(kind);
      }
    },
    stateOf: (table) => state.stateOf(table),
    async run(signal) {
      const running: Promise<void>[] = [];
      begin = (kind) => running.push(follow(kind, signal));
      for (const kind of following) begin(kind);
      try {
        // Those that were added meanwhile, too.
        for (let i = 0; i < running.length; i++) await running[i];
      } finally {
        connection[Symbol.dispose]();
      }
    },
    snapshot: () => state.store.snapshot(),
    onChange: (listener) => state.onChange(listener),
    isSynced: () => state.isSynced(),
    whenSynced: (signal) => state.whenSynced(signal),
    reports: state.reports,
    health: () => state.health(),
    ...nodeWrites(connection),
  };
}
