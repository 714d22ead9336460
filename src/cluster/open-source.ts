/** Opens the source of cluster objects that a configuration names. */

import { createDirectorySource } from "./directory/directory-source.ts";
import { type ApiPlace, findConnectionConfig } from "./kube/find-config.ts";
import { createKubeSource } from "./kube/kube-source.ts";
import type { ClusterSource, ClusterTable } from "./source.ts";

/** Where objects come from. */
export type SourceChoice = ({ readonly kind: "kube" } & ApiPlace) | { readonly kind: "dir"; readonly path: string };

/**
 * Opens a source; it does nothing before it is run.
 * @param onFailure told of every failure, for the log; the source goes on by itself
 * @throws ClusterError `BadConfig` when it is not said how to reach the API
 */
export async function openClusterSource(
  choice: SourceChoice,
  options: {
    readonly userAgent: string;
    /** What is needed of an API: nothing else is asked for. */
    readonly tables: readonly ClusterTable[];
    readonly onFailure: (error: unknown, subject: string) => void;
  },
): Promise<ClusterSource> {
  const { onFailure, userAgent, tables } = options;
  if (choice.kind === "dir") return createDirectorySource({ path: choice.path, onFailure });
  const config = await findConnectionConfig(choice, process.env);
  return createKubeSource({ config, userAgent, tables, onFailure });
}
