/** Waiting for a pod's object, and its namespace's: a runtime may be quicker than the watches that tell of what it starts. */

import type { ClusterSource } from "../../cluster/source.ts";
import { readArgs } from "../../cni/args.ts";
import { podKey } from "../../model/pod.ts";
import type { ShimRequest } from "../cni/shim-frame.ts";
import type { AgentConfig } from "../config/config.ts";
import { isKnownPod, isOfPod } from "./local-endpoints.ts";

/** The pod that an ADD is for; undefined: it is no ADD, or for no pod of the cluster. */
function podOfCall(request: ShimRequest) {
  if (request.env["CNI_COMMAND"] !== "ADD") return undefined;
  const args = readArgs(request.env["CNI_ARGS"] ?? "");
  if (!args.ok) return undefined;
  const { namespace, name, uid } = args.value.pod;
  const pod = { podNamespace: namespace, podName: name, podUid: uid };
  return isOfPod(pod) ? pod : undefined;
}

/** Pods whose start waits. Bounded by the connections that the plugin's server takes. */
export class PendingPods {
  readonly #calls = new Set<{ readonly pod: string }>();

  /** @returns the end of its waiting */
  add(pod: string): () => void {
    const call = { pod };
    this.#calls.add(call);
    return () => void this.#calls.delete(call);
  }

  names(): string[] {
    return [...new Set(Array.from(this.#calls, (c) => c.pod))].sort();
  }
}

/**
 * Resolves when the pod of an ADD is known, or the time that policy gives it to appear is over: then the attachment is
 * refused, and the runtime tries again.
 */
export async function podIsKnown(
  request: ShimRequest,
  source: Pick<ClusterSource, "snapshot" | "onChange">,
  config: Pick<AgentConfig, "cluster" | "policy">,
  waiting: PendingPods,
): Promise<void> {
  const pod = config.cluster.kind === "kube" ? podOfCall(request) : undefined;
  if (pod === undefined || isKnownPod(pod, source.snapshot().tables)) return;
  const end = waiting.add(podKey(pod.podNamespace ?? "", pod.podName ?? ""));
  await new Promise<void>((resolve) => {
    const done = () => {
      end();
      clearTimeout(late);
      stop();
      resolve();
    };
    const late = setTimeout(done, config.policy.startTimeoutMs);
    const stop = source.onChange(() => isKnownPod(pod, source.snapshot().tables) && done());
  });
}
