/** Which API an agent talks to: a named kubeconfig, `$KUBECONFIG`, or the service account of its own pod. */

import { existsSync } from "node:fs";
import { ClusterError } from "../source.ts";
import type { ConnectionConfig } from "./credentials.ts";
import { readKubeconfig } from "./kubeconfig.ts";

const ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What is read of the process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The connection of a pod's service account; undefined when this is no pod. The token's file is read again as it changes. */
export function inClusterConfig(env: Environment, directory = ACCOUNT_DIRECTORY): ConnectionConfig | undefined {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = env["KUBERNETES_SERVICE_PORT_HTTPS"] ?? env["KUBERNETES_SERVICE_PORT"] ?? "";
  if (host === "" || port === "" || !existsSync(`${directory}/token`)) return undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: { kind: "file", path: `${directory}/ca.crt` },
    isInsecure: false,
    tlsServerName: undefined,
    clientCert: undefined,
    clientKey: undefined,
    token: { kind: "file", path: `${directory}/token` },
    basic: undefined,
  };
}

/**
 * Finds the connection.
 * @param path of a kubeconfig; undefined: the environment decides
 * @throws ClusterError `BadConfig`
 */
export async function findConnectionConfig(path: string | undefined, env: Environment): Promise<ConnectionConfig> {
  const named = path ?? env["KUBECONFIG"] ?? "";
  if (named !== "") {
    if (path === undefined && named.includes(":"))
      throw new ClusterError(`Cannot use KUBECONFIG "${named}": one file is wanted, not a list`, "BadConfig", 0);
    return readKubeconfig(named);
  }
  const own = inClusterConfig(env);
  if (own !== undefined) return own;
  throw new ClusterError(
    "Cannot find a Kubernetes API: give a kubeconfig, set KUBECONFIG, or run in a pod with a service account",
    "BadConfig",
    0,
  );
}
