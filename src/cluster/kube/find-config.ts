/**
 * Which API an agent talks to, and as whom: a named kubeconfig, `$KUBECONFIG`, or the service account of its own pod. The address can
 * be another than theirs: where no Service works yet, since nobody but the agent would make it work, the API's own
 * Service cannot be the way to it.
 */

import { existsSync } from "node:fs";
import { hostPortText } from "../../net/host-port.ts";
import { ClusterError } from "../source.ts";
import type { ConnectionConfig } from "./credentials.ts";
import { readKubeconfig } from "./kubeconfig.ts";

const ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What is read of the process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a configuration says of the API. */
export interface ApiPlace {
  /** Path of a kubeconfig; undefined: the environment decides. */
  readonly kubeconfig: string | undefined;
  /** `https://HOST:PORT`; undefined: `$TWILL_API_SERVER`, else what the credentials come with. */
  readonly apiServer?: string | undefined;
  /** Name that the server's certificate must carry, instead of its host. */
  readonly tlsServerName?: string | undefined;
}

function serverOf(env: Environment): string | undefined {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = env["KUBERNETES_SERVICE_PORT_HTTPS"] ?? env["KUBERNETES_SERVICE_PORT"] ?? "";
  return host === "" || port === "" ? undefined : `https://${hostPortText(host, port)}`;
}

/**
 * The connection of a pod's service account; undefined when this is no pod. The token's file is read again as it changes.
 * @param server undefined: that of the Service `kubernetes`, as the kubelet tells it
 */
export function inClusterConfig(
  env: Environment,
  directory = ACCOUNT_DIRECTORY,
  server: string | undefined = serverOf(env),
): ConnectionConfig | undefined {
  if (server === undefined || !existsSync(`${directory}/token`)) return undefined;
  return {
    server,
    ca: { kind: "file", path: `${directory}/ca.crt` },
    isInsecure: false,
    tlsServerName: undefined,
    clientCert: undefined,
    clientKey: undefined,
    token: { kind: "file", path: `${directory}/token` },
    basic: undefined,
  };
}

/** `https://HOST:PORT` as a server has to be written; undefined: it is no such thing. */
export function apiServerUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    url !== undefined && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  return isPlain && url.protocol === "https:" && url.hostname !== "" ? url.origin : undefined;
}

const OVERRIDE = "TWILL_API_SERVER";

function overrideOf({ apiServer }: ApiPlace, env: Environment): string | undefined {
  const text = apiServer ?? env[OVERRIDE] ?? "";
  if (text === "") return undefined;
  const url = apiServerUrl(text);
  if (url !== undefined) return url;
  throw new ClusterError(`Cannot use ${OVERRIDE} "${text.slice(0, 96)}": it is not https://HOST:PORT`, "BadConfig", 0);
}

/**
 * Finds the connection.
 * @param directory of the service account
 * @throws ClusterError `BadConfig`
 */
export async function findConnectionConfig(
  place: ApiPlace,
  env: Environment,
  directory?: string,
): Promise<ConnectionConfig> {
  const server = overrideOf(place, env);
  const found = await findCredentials(place.kubeconfig, env, directory, server);
  return { ...found, server: server ?? found.server, tlsServerName: place.tlsServerName ?? found.tlsServerName };
}

async function findCredentials(
  path: string | undefined,
  env: Environment,
  directory: string | undefined,
  server: string | undefined,
): Promise<ConnectionConfig> {
  const named = path ?? env["KUBECONFIG"] ?? "";
  if (named !== "") {
    if (path === undefined && named.includes(":"))
      throw new ClusterError(`Cannot use KUBECONFIG "${named}": one file is wanted, not a list`, "BadConfig", 0);
    return readKubeconfig(named);
  }
  const own = inClusterConfig(env, directory, server);
  if (own !== undefined) return own;
  throw new ClusterError(
    "Cannot find a Kubernetes API: give a kubeconfig, set KUBECONFIG, or run in a pod with a service account",
    "BadConfig",
    0,
  );
}
