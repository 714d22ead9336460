/** Finds what users name: a pod, a node, an address. */

import { nearest } from "../../base/nearest.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { hasOwnAddresses, type Pod, podKey } from "../../model/pod.ts";
import { parseAddr } from "../../net/addr.ts";
import type { World, WorldEnd } from "./world.ts";

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

function unknownEnd(world: World, text: string): string {
  const names = [...world.pods.keys(), ...world.nodes.map((n) => n.name)];
  const near = nearest(text, names);
  if (near !== undefined) return `There is no pod or node "${text}": did you mean "${near}"?`;
  const there = names.length === 0 ? "there is none at all" : `there are ${listed(names)}`;
  return `There is no pod or node "${text}", and it is no address: ${there}`;
}

/** A pod without addresses of its own: of the node's network it is the node, else nothing can be said of it. */
function otherPod(world: World, pod: Pod): Result<WorldEnd> {
  const key = podKey(pod.namespace, pod.name);
  if (pod.isHostNetwork) {
    const [first] = pod.podIps;
    const at = first === undefined ? undefined : world.endAt(first);
    if (at?.kind === "node") return ok(at);
    const node = world.nodes.find((n) => n.name === pod.nodeName);
    const [addr] = node?.internalIps ?? [];
    if (addr !== undefined) return ok(world.endAt(addr));
    return err(`Pod "${key}" shares the network of node "${pod.nodeName ?? ""}", whose addresses are not known`);
  }
  if (!hasOwnAddresses(pod) && pod.podIps.length > 0)
    return err(`Pod "${key}" has ended (${pod.phase}): it has no address any more`);
  return err(`Pod "${key}" has no address yet`);
}

/**
 * The end that a text names.
 * @param text `namespace/name` of a pod, an address, a node's name, or the name of a pod in namespace `default`
 */
export function findEnd(world: World, text: string): Result<WorldEnd> {
  const address = parseAddr(text);
  if (address.ok) return ok({ ...world.endAt(address.value), addrs: [address.value] });
  const [first = "", second, ...rest] = text.split("/");
  if (first !== "" && second !== "" && rest.length === 0) {
    const node = second === undefined ? world.nodes.find((n) => n.name === first) : undefined;
    const [at] = node?.internalIps ?? [];
    if (at !== undefined) return ok(world.endAt(at));
    const key = second === undefined ? podKey("default", first) : text;
    const end = world.pods.get(key);
    if (end !== undefined) return ok(end);
    for (const pod of world.objects.pods) if (podKey(pod.namespace, pod.name) === key) return otherPod(world, pod);
  }
  return err(unknownEnd(world, text));
}
