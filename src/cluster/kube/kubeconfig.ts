/** Reading of kubeconfig files: one context, with inline data, files, tokens, client certificates or a password. */

import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { parse as parseYaml } from "yaml";
import { formatIssues, type Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type Reader, readObject } from "../../model/read.ts";
import { ClusterError } from "../source.ts";
import type { ConnectionConfig, Secret } from "./credentials.ts";

function inline(reader: Reader, key: string): Secret | undefined {
  const text = reader.string(key) ?? "";
  if (text === "") return undefined;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0) reader.issue(key, "Expected base64 text");
  return { kind: "value", text: bytes.toString("utf8") };
}

function file(reader: Reader, key: string, directory: string): Secret | undefined {
  const path = reader.string(key) ?? "";
  if (path === "") return undefined;
  return { kind: "file", path: isAbsolute(path) ? path : join(directory, path) };
}

/** Data wins over a file, as in kubectl. */
function secret(reader: Reader, key: string, directory: string): Secret | undefined {
  return inline(reader, `${key}-data`) ?? file(reader, key, directory);
}

function named(root: Reader, list: string, name: string, part: string): Reader | undefined {
  const found = root.objects(list).find((o) => o.string("name") === name);
  if (found === undefined) root.issue(list, `There is no entry named "${name}"`);
  return found?.object(part);
}

function checkServer(cluster: Reader): string {
  const server = cluster.requiredString("server");
  if (server !== "" && !/^https?:\/\/[^/?#]+(\/[^?#]*)?$/.test(server))
    cluster.issue("server", `"${server.slice(0, 128)}" is not a URL such as https://10.0.0.1:6443`);
  if (cluster.has("proxy-url")) cluster.issue("proxy-url", "Proxies are not supported: a direct address is wanted");
  return server.replace(/\/+$/, "");
}

function readUser(user: Reader | undefined, directory: string) {
  if (user === undefined) return { clientCert: undefined, clientKey: undefined, token: undefined, basic: undefined };
  for (const key of ["exec", "auth-provider"])
    if (user.has(key))
      user.issue(
        key,
        "Credential plugins are not run by a node's agent: give it a token, a token file or a client certificate",
      );
  const clientCert = secret(user, "client-certificate", directory);
  const clientKey = secret(user, "client-key", directory);
  if ((clientCert === undefined) !== (clientKey === undefined))
    user.issue(
      clientCert === undefined ? "client-certificate" : "client-key",
      "Certificate and key belong together, one is missing",
    );
  const text = user.string("token") ?? "";
  const token: Secret | undefined = text === "" ? file(user, "tokenFile", directory) : { kind: "value", text };
  const username = user.string("username") ?? "";
  const basic = username === "" ? undefined : { username, password: user.string("password") ?? "" };
  return { clientCert, clientKey, token, basic };
}

/**
 * The connection that a kubeconfig describes.
 * @param directory of the file, from which relative paths in it are taken
 * @param context name; undefined: the current one
 */
export function parseKubeconfig(
  text: string,
  directory: string,
  context?: string,
): Result<ConnectionConfig, readonly Issue[]> {
  const issues: Issue[] = [];
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 100, logLevel: "error" });
  } catch (error) {
    return err([{ path: "", message: `Cannot be read as YAML: ${(error as Error).message.split("\n")[0]}` }]);
  }
  const root = readObject(value, issues);
  const name = context ?? root.requiredString("current-context");
  const chosen = name === "" ? undefined : named(root, "contexts", name, "context");
  const cluster = chosen && named(root, "clusters", chosen.requiredString("cluster"), "cluster");
  const userName = chosen?.string("user") ?? "";
  const user = userName === "" ? undefined : named(root, "users", userName, "user");
  const config: ConnectionConfig = {
    server: cluster === undefined ? "" : checkServer(cluster),
    ca: cluster && secret(cluster, "certificate-authority", directory),
    isInsecure: cluster?.boolean("insecure-skip-tls-verify") ?? false,
    tlsServerName: cluster?.string("tls-server-name") || undefined,
    ...readUser(user, directory),
  };
  return issues.length > 0 ? err(issues) : ok(config);
}

/** Reads a kubeconfig file. @throws ClusterError `BadConfig` with every issue */
export async function readKubeconfig(path: string, context?: string): Promise<ConnectionConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ClusterError(`Cannot read kubeconfig "${path}": ${(cause as Error).message}`, "BadConfig", 0, { cause });
  }
  const parsed = parseKubeconfig(text, dirname(path), context);
  if (parsed.ok) return parsed.value;
  throw new ClusterError(`Cannot use kubeconfig "${path}":\n${formatIssues(parsed.error)}`, "BadConfig", 0);
}
