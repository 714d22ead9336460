/** Views of pods that share what is equal: thirty thousand pods have a few thousand different labels, in whatever view. */

import type { LabelViews } from "./facts.ts";
import type { LabelMap } from "./label-expr.ts";

type PodView = NonNullable<LabelViews["pod"]>;
type Shared = Map<string, ReturnType<PodView>>;

/**
 * A view that gives the same object for pods that are alike.
 * @param view of a pod by its labels, its namespace with its labels, and the name of its service account, and nothing else
 */
export function sharedPodView(view: PodView): PodView {
  const known = new WeakMap<LabelMap, WeakMap<LabelMap, Shared>>();
  return (pod, namespace) => {
    const byNamespace = known.get(pod.labels) ?? new WeakMap<LabelMap, Shared>();
    known.set(pod.labels, byNamespace);
    const shared: Shared = byNamespace.get(namespace) ?? new Map();
    byNamespace.set(namespace, shared);
    const key = `${pod.namespace}/${pod.serviceAccount}`;
    const seen = shared.get(key) ?? view(pod, namespace);
    shared.set(key, seen);
    return seen;
  };
}
