/** Views of pods that share what is equal: thirty thousand pods have a few thousand different labels, in whatever view. */

import { objectNumber } from "../base/object-number.ts";
import { type LabelViews, MAX_SHARED } from "./facts.ts";

type PodView = NonNullable<LabelViews["pod"]>;

/**
 * A view that gives the same object for pods that are alike.
 * @param view of a pod by its labels, its namespace with its labels, and the name of its service account, and nothing else
 */
export function sharedPodView(view: PodView): PodView {
  const known = new Map<string, ReturnType<PodView>>();
  return (pod, namespace) => {
    const key = `${objectNumber(pod.labels)} ${objectNumber(namespace)} ${pod.namespace}/${pod.serviceAccount}`;
    const seen = known.get(key) ?? view(pod, namespace);
    if (known.size >= MAX_SHARED) known.clear();
    known.set(key, seen);
    return seen;
  };
}
