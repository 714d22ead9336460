/** Conditions of objects in a Kubernetes API. */

import type { ObjectCondition } from "../reports.ts";
import { ClusterError } from "../source.ts";
import type { StatusApi, Written } from "../status-api.ts";
import { createConnection } from "./connection.ts";
import type { ConnectionConfig } from "./credentials.ts";

interface Stored extends Partial<ObjectCondition> {
  readonly lastTransitionTime?: string;
}

interface StoredObject {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly status?: { readonly conditions?: readonly Stored[] };
}

/** Requests of one agent that writes for all: policies are many, and their status is never urgent. */
const PER_SECOND = 10;

/**
 * All conditions, with those set that are wanted; undefined when they stand there already. The time of a transition stays
 * where the status does not change.
 * @param now RFC 3339
 */
export function mergeConditions(
  current: readonly Stored[],
  wanted: readonly ObjectCondition[],
  now: string,
): readonly Stored[] | undefined {
  const isThere = (w: ObjectCondition) =>
    current.some(
      (c) =>
        c.type === w.type &&
        c.status === w.status &&
        c.reason === w.reason &&
        c.message === w.message &&
        c.observedGeneration === w.observedGeneration,
    );
  if (wanted.every(isThere)) return undefined;
  const own = wanted.map((w): Stored => {
    const old = current.find((c) => c.type === w.type);
    return { ...w, lastTransitionTime: old?.status === w.status ? (old.lastTransitionTime ?? now) : now };
  });
  return [...current.filter((c) => !wanted.some((w) => w.type === c.type)), ...own];
}

/** Opens its own connection; dispose it. */
export function createKubeStatusApi(options: {
  readonly config: ConnectionConfig;
  readonly userAgent: string;
}): StatusApi {
  const connection = createConnection(options.config, {
    userAgent: options.userAgent,
    perSecond: PER_SECOND,
    burst: PER_SECOND,
  });

  async function ask<T>(run: Promise<unknown>, onStatus: Readonly<Record<number, T>>): Promise<unknown | T> {
    try {
      return await run;
    } catch (error) {
      if (error instanceof ClusterError && error.httpStatus in onStatus) return onStatus[error.httpStatus];
      throw error;
    }
  }

  return {
    async writeConditions(path, conditions, signal): Promise<Written> {
      const found = await ask(connection.json({ method: "GET", path, signal }), { 404: "gone" });
      if (found === "gone") return "gone";
      const { metadata, status } = found as StoredObject;
      const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const merged = mergeConditions(status?.conditions ?? [], conditions, now);
      if (merged === undefined) return "same";
      // The revision makes it a conflict when somebody else's conditions came in between.
      const body = { metadata: { resourceVersion: metadata?.resourceVersion }, status: { conditions: merged } };
      const contentType = "application/merge-patch+json";
      const done = await ask(connection.json({ method: "PATCH", path: `${path}/status`, body, contentType, signal }), {
        404: "no-status",
        405: "no-status",
        409: "conflict",
      } as const);
      return done === "no-status" || done === "conflict" ? done : "written";
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
