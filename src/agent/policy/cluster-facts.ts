/** What the cluster says of addresses, kept from one look to the next: only what has changed is computed and told. */

import type { Namespace } from "../../model/namespace.ts";
import type { Node } from "../../model/node.ts";
import type { Pod } from "../../model/pod.ts";
import type { FactTable } from "../../policy/fact-table.ts";
import { type LabelViews, namespaceLabels, nodeSays, podSays } from "../../policy/facts.ts";
import type { Table } from "../../store/table.ts";

/** Whose say counts more where two speak of one address. */
const RANK = { node: 0, pod: 1 } as const;
/** An attachment of this node is what the address is now, whatever the API still shows. */
export const LOCAL_RANK = 2;

/** The tables that facts come from. */
export interface FactObjects {
  readonly pods: Table<Pod>;
  readonly nodes: Table<Node>;
  readonly namespaces: Table<Namespace>;
}

/** See the file's comment. */
export class ClusterFacts {
  readonly #facts: FactTable;
  readonly #localNode: string;
  /** Keys of pods by namespace: its labels are theirs. */
  readonly #inNamespace = new Map<string, Set<string>>();
  #objects: FactObjects | undefined;
  #views: LabelViews | undefined;

  constructor(facts: FactTable, localNode: string) {
    this.#facts = facts;
    this.#localNode = localNode;
  }

  update(objects: FactObjects, views: LabelViews): void {
    const isSameViews = views === this.#views;
    const before = this.#objects;
    this.#objects = objects;
    this.#views = views;
    for (const { key, before: old, after } of objects.nodes.changesSince(before?.nodes)) {
      if (old !== undefined && after === undefined) this.#facts.delete(key);
      if (after !== undefined) this.#putNode(after, views);
    }
    for (const { key, before: old, after } of objects.pods.changesSince(before?.pods)) {
      if (old !== undefined && after === undefined) this.#forget(old, key);
      if (after !== undefined) this.#putPod(after, key, objects, views);
    }
    if (before === undefined) return;
    if (isSameViews) this.#followNamespaces(objects, before, views);
    else this.#putAll(objects, views);
  }

  #followNamespaces(objects: FactObjects, before: FactObjects, views: LabelViews): void {
    for (const { key, before: old, after } of objects.namespaces.changesSince(before.namespaces)) {
      if (old !== undefined && old.labels === after?.labels) continue;
      for (const podKey of this.#inNamespace.get(key) ?? []) {
        const pod = objects.pods.get(podKey);
        if (pod !== undefined) this.#putPod(pod, podKey, objects, views);
      }
    }
  }

  #putAll(objects: FactObjects, views: LabelViews): void {
    for (const node of objects.nodes) this.#putNode(node, views);
    for (const [key, pod] of objects.pods.entries()) this.#putPod(pod, key, objects, views);
  }

  #putNode(node: Node, views: LabelViews): void {
    this.#facts.put(node.name, nodeSays(node, node.name === this.#localNode, views), RANK.node);
  }

  #putPod(pod: Pod, key: string, objects: FactObjects, views: LabelViews): void {
    const namespace = namespaceLabels(pod.namespace, objects.namespaces.get(pod.namespace));
    this.#facts.put(key, podSays(pod, namespace, views), RANK.pod);
    const keys = this.#inNamespace.get(pod.namespace) ?? new Set();
    this.#inNamespace.set(pod.namespace, keys.add(key));
  }

  #forget(pod: Pod, key: string): void {
    this.#facts.delete(key);
    const keys = this.#inNamespace.get(pod.namespace);
    keys?.delete(key);
    if (keys?.size === 0) this.#inNamespace.delete(pod.namespace);
  }
}

/**
 * Who says something of addresses, for people: `pod default/a`, `node n`, `endpoint 7`. Pods and nodes say it under the keys
 * that their tables have already: thirty thousand more texts would be megabytes.
 */
export function ownerText(owner: string): string {
  if (owner.includes("/")) return `pod ${owner}`;
  return owner.includes(" ") ? owner : `node ${owner}`;
}
