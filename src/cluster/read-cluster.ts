/** Reads a Kubernetes API once, for whoever asks and goes. */

import { createRuleReader } from "../policy/from-objects.ts";
import { openClusterSource } from "./open-source.ts";
import {
  ClusterError,
  type ClusterSnapshot,
  type ClusterSource,
  type ClusterTable,
  type ObjectProblem,
} from "./source.ts";
import { TABLE_NAMES } from "./tables.ts";

/** A cluster as it was. */
export interface ReadCluster {
  /** As `https://192.168.77.2:6443`. */
  readonly description: string;
  readonly tables: ClusterSnapshot["tables"];
  /** Objects that could not be read, at most 100. */
  readonly problems: readonly ObjectProblem[];
  readonly problemCount: number;
  /** Tables that policy follows from and that may not be read, with the API's words: they count as empty. */
  readonly forbidden: readonly { readonly table: ClusterTable; readonly reason: string }[];
}

/** Between two looks at whether a table has been answered, beside those that the source asks for. */
const LOOK_MS = 50;

/** Resolves when all of the tables have been answered in some way. @throws the signal's reason */
async function answered(source: ClusterSource, tables: ReadonlySet<ClusterTable>, signal: AbortSignal): Promise<void> {
  while ([...tables].some((t) => source.stateOf(t) === "waiting")) {
    signal.throwIfAborted();
    let stop = () => {};
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOK_MS);
      stop = source.onChange(resolve);
    });
    clearTimeout(timer);
    stop();
  }
}

/** Also reads what the policies speak of: which tables those are shows only when they have been read. */
async function followWants(source: ClusterSource, signal: AbortSignal): Promise<void> {
  const rules = createRuleReader();
  const wanted = new Set<ClusterTable>();
  for (;;) {
    const before = wanted.size;
    for (const table of rules.read(source.snapshot().tables).wants) wanted.add(table);
    if (wanted.size === before) return;
    source.want(wanted);
    await answered(source, wanted, signal);
  }
}

/**
 * Lists every table that policy follows from, and follows none.
 * @param kubeconfig path; undefined: the environment decides
 * @throws ClusterError when the API is not found or has not answered in time
 */
export async function readCluster(
  kubeconfig: string | undefined,
  options: { readonly userAgent: string; readonly timeoutMs: number },
): Promise<ReadCluster> {
  const { userAgent, timeoutMs } = options;
  const source = await openClusterSource(
    { kind: "kube", kubeconfig },
    { userAgent, tables: TABLE_NAMES, onFailure: () => {} },
  );
  const stop = new AbortController();
  const done = source.run(stop.signal);
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    await source.whenSynced(signal);
    await followWants(source, signal);
    const { problems, problemCount, tables } = source.health();
    const forbidden = tables.flatMap(({ table, state, reason = "" }) =>
      state === "forbidden" ? [{ table, reason }] : [],
    );
    return { description: source.description, tables: source.snapshot().tables, problems, problemCount, forbidden };
  } catch (cause) {
    const why = source.health().lastError?.message ?? "no answer";
    const message = `Cannot read the cluster at ${source.description} within ${timeoutMs / 1000} s: ${why}`;
    throw new ClusterError(message, "Timeout", 0, { cause });
  } finally {
    stop.abort();
    await done;
  }
}
