/** `kubectl logs`: plain text from the pod's kubelet. */

import { ApiError, badRequest } from "./api-error.ts";
import type { Exchange } from "./context.ts";
import type { Fields } from "./fields.ts";
import type { SubresourcePath } from "./handle-subresource.ts";
import { queryFlag, queryInteger } from "./http-request.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeletStreams, KubeObject } from "./types.ts";

/** The kubelet, once the pod is known to be on a node. @throws ApiError 400, 503 */
export function kubeletOf(kubelet: KubeletStreams | undefined, pod: KubeObject): KubeletStreams {
  if (kubelet === undefined)
    throw new ApiError(503, "ServiceUnavailable", "no kubelet is connected to this API server");
  if (!pod["spec"]?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return kubelet;
}

/** The container that is meant. @throws ApiError 400 when the name is wrong, or missing where there are several */
export function containerOf(pod: KubeObject, wanted: string | null): string {
  const spec: Fields = pod["spec"] ?? {};
  const names = [
    ...(spec["containers"] ?? []),
    ...(spec["initContainers"] ?? []),
    ...(spec["ephemeralContainers"] ?? []),
  ].map((c: Fields) => String(c["name"]));
  if (wanted) {
    if (!names.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
    return wanted;
  }
  const first = names[0];
  if ((spec["containers"] ?? []).length !== 1 || first === undefined)
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(" ")}]`,
    );
  return first;
}

/** Serves the log of a pod's container; ends with the client. */
export async function serveLog(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const { query, res, server } = x;
  const pod = server.operations.get(r, path.namespace, path.name);
  const container = containerOf(pod, query.get("container"));
  const kubelet = kubeletOf(server.kubelet, pod);
  const sinceSeconds = queryInteger(query, "sinceSeconds");
  const sinceTime = query.get("sinceTime");
  const aborted = new AbortController();
  res.once("close", () => aborted.abort());
  const request = {
    namespace: path.namespace ?? "",
    pod: path.name,
    container,
    follow: queryFlag(query, "follow"),
    previous: queryFlag(query, "previous"),
    timestamps: queryFlag(query, "timestamps"),
    tailLines: queryInteger(query, "tailLines"),
    sinceMs:
      sinceTime !== null
        ? Date.parse(sinceTime)
        : sinceSeconds === undefined
          ? undefined
          : Date.now() - sinceSeconds * 1000,
    limitBytes: queryInteger(query, "limitBytes"),
  };
  let source: Awaited<ReturnType<KubeletStreams["logs"]>>;
  try {
    source = await kubelet.logs(request, aborted.signal);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
  res.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
  res.flushHeaders();
  source.once("error", (error) => {
    if (!aborted.signal.aborted) server.onError(error, `log of ${path.namespace}/${path.name}`);
    res.destroy();
  });
  res.once("close", () => source.destroy());
  source.pipe(res);
}
