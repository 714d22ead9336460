/** Asks a cluster what it says elsewhere about its pods' network. */

import type { Issue } from "../../base/issue.ts";
import { formatIssues } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { type NetworkHints, readFlannelNetConf, readKubeadmConfig } from "../../model/network-hints.ts";
import { ClusterError } from "../source.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { ConnectionConfig } from "./credentials.ts";

/** Hints, and where they stand. */
export interface FoundHints {
  readonly hints: NetworkHints;
  /** In words: `ConfigMap kube-flannel/kube-flannel-cfg`. */
  readonly from: string;
}

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  readonly read: (text: string) => Result<NetworkHints | undefined, readonly Issue[]>;
}

/** The first that says something counts: Flannel's own word before what its network was once made for. */
const PLACES: readonly Place[] = [
  { namespace: "kube-flannel", name: "kube-flannel-cfg", key: "net-conf.json", read: readFlannelNetConf },
  // Where Flannel's manifest put it before version 0.20.
  { namespace: "kube-system", name: "kube-flannel-cfg", key: "net-conf.json", read: readFlannelNetConf },
  { namespace: "kube-system", name: "kubeadm-config", key: "ClusterConfiguration", read: readKubeadmConfig },
];

async function textAt(connection: Connection, place: Place, signal: AbortSignal): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${place.namespace}/configmaps/${place.name}`;
  try {
    const map = (await connection.json({ method: "GET", path, signal })) as { data?: Record<string, unknown> } | null;
    const text = map?.data?.[place.key];
    return typeof text === "string" ? text : undefined;
  } catch (cause) {
    if (cause instanceof ClusterError && cause.httpStatus === 404) return undefined;
    throw cause;
  }
}

/**
 * @returns undefined when nothing is said anywhere
 * @throws ClusterError when the API does not answer, or says something that cannot be read
 */
export async function findHints(
  config: ConnectionConfig,
  userAgent: string,
  signal: AbortSignal,
): Promise<FoundHints | undefined> {
  const connection = createConnection(config, { userAgent });
  try {
    for (const place of PLACES) {
      const text = await textAt(connection, place, signal);
      if (text === undefined) continue;
      const from = `ConfigMap ${place.namespace}/${place.name}`;
      const hints = place.read(text);
      if (!hints.ok)
        throw new ClusterError(`Cannot read "${place.key}" of ${from}:\n${formatIssues(hints.error)}`, "Invalid", 0);
      if (hints.value !== undefined) return { hints: hints.value, from };
    }
    return undefined;
  } finally {
    connection[Symbol.dispose]();
  }
}
