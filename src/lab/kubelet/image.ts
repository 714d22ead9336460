/**
 * From a container to a command. The lab has no images: a container runs a command of the node's own file system, or
 * the one built-in image.
 */

import { fileURLToPath } from "node:url";
import { err, ok, type Result } from "../../base/result.ts";
import type { KubeObject } from "../../cluster/embedded/types.ts";

/** The image that answers on every containerPort. */
export const ECHO_IMAGE = "twill.dev/echo";

/** Parts of a container that the lab looks at. */
export interface ContainerSpec {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
  }[];
  readonly ports?: readonly ContainerPort[];
}

/** A port of a container. */
export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
  readonly hostPort?: number;
  readonly hostIP?: string;
}

/** A command to run. */
export interface ContainerCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readyLine?: RegExp;
}

const ECHO_PROGRAM = fileURLToPath(new URL("../echo.ts", import.meta.url));
/** What every container finds first on its PATH is the node's `/opt/twill/bin`. */
const CONTAINER_PATH = "/opt/twill/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Values that `valueFrom.fieldRef` may name. */
function field(
  pod: KubeObject,
  path: string,
  addresses: { readonly podIPs: readonly string[]; readonly hostIP: string },
): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed) return String(pod.metadata[keyed[1] as "labels" | "annotations"]?.[keyed[2] ?? ""] ?? "");
  const values: Record<string, string | undefined> = {
    "metadata.name": pod.metadata.name,
    "metadata.namespace": pod.metadata.namespace,
    "metadata.uid": pod.metadata.uid,
    "spec.nodeName": pod["spec"]?.nodeName,
    "spec.serviceAccountName": pod["spec"]?.serviceAccountName,
    "status.podIP": addresses.podIPs[0],
    "status.podIPs": addresses.podIPs.join(","),
    "status.hostIP": addresses.hostIP,
  };
  return values[path] ?? "";
}

/** `$(NAME)` becomes the variable's value, `$$` a dollar sign; unknown names stay (as Kubernetes does). */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\$|\(([^()]+)\))/g, (whole, name?: string) =>
    name === undefined ? "$" : (env[name] ?? whole),
  );
}

/** What a container runs, or why it cannot run. */
export function containerCommand(
  pod: KubeObject,
  container: ContainerSpec,
  addresses: { readonly podIPs: readonly string[]; readonly hostIP: string },
): Result<ContainerCommand> {
  const env: Record<string, string> = { PATH: CONTAINER_PATH, HOSTNAME: pod.metadata.name, HOME: "/root" };
  for (const { name, value, valueFrom } of container.env ?? [])
    env[name] = valueFrom?.fieldRef ? field(pod, valueFrom.fieldRef.fieldPath, addresses) : expand(value ?? "", env);
  const words = [...(container.command ?? []), ...(container.args ?? [])].map((w) => expand(w, env));
  if (container.command?.length) return ok({ argv: words, env });
  const image = container.image ?? "";
  if (image === ECHO_IMAGE || image.startsWith(`${ECHO_IMAGE}:`)) return ok(echoCommand(pod, container, env));
  if (/(^|\/)pause(:|@|$)/.test(image)) return ok({ argv: ["sleep", "infinity"], env });
  return err(
    `The lab has no images: give container "${container.name}" a command, or the image "${ECHO_IMAGE}" instead of "${image}"`,
  );
}

function echoCommand(
  pod: KubeObject,
  container: ContainerSpec,
  env: Readonly<Record<string, string>>,
): ContainerCommand {
  const ports = (container.ports ?? []).map((p) => `${p.containerPort}/${p.protocol ?? "TCP"}`).join(",");
  const cache = process.env["NODE_COMPILE_CACHE"];
  return {
    argv: [process.execPath, ECHO_PROGRAM],
    env: {
      ...env,
      ECHO_NAME: `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`,
      ECHO_PORTS: ports,
      ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
    },
    readyLine: /^ready/m,
  };
}
