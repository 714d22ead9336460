/** Reads a Kubernetes API once, for whoever asks and goes. */

import { openClusterSource } from "./open-source.ts";
import { ClusterError, type ClusterSnapshot, type ObjectProblem } from "./source.ts";
import { TABLE_NAMES } from "./tables.ts";

/** A cluster as it was. */
export interface ReadCluster {
  /** As `https://192.168.77.2:6443`. */
  readonly description: string;
  readonly tables: ClusterSnapshot["tables"];
  /** Objects that could not be read, at most 100. */
  readonly problems: readonly ObjectProblem[];
  readonly problemCount: number;
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
    await source.whenSynced(AbortSignal.timeout(timeoutMs));
    const { problems, problemCount } = source.health();
    return { description: source.description, tables: source.snapshot().tables, problems, problemCount };
  } catch (cause) {
    const why = source.health().lastError?.message ?? "no answer";
    const message = `Cannot read the cluster at ${source.description} within ${timeoutMs / 1000} s: ${why}`;
    throw new ClusterError(message, "Timeout", 0, { cause });
  } finally {
    stop.abort();
    await done;
  }
}
