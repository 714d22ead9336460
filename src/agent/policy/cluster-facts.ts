/** What the cluster says of addresses, kept from one look to the next: only what has changed is computed and told. */

import type { Namespace } from "../../model/namespace.ts";
import type { Node } from "../../model/node.ts";
import { type Pod, podKey } from "../../model/pod.ts";
import type { FactTable } from "../../policy/fact-table.ts";
import { type LabelViews, namespaceLabels, nodeFacts, podFacts } from "../../policy/facts.ts";

/** Whose say counts more where two speak of one address. */
const RANK = { node: 0, pod: 1 } as const;
/** An attachment of this node is what the address is now, whatever the API still shows. */
export const LOCAL_RANK = 2;

/** The tables that facts come from. */
export interface FactObjects {
  readonly pods: Iterable<Pod>;
  readonly nodes: Iterable<Node>;
  readonly namespaces: { get(key: string): Namespace | undefined };
}

interface Source {
  readonly object: Pod | Node;
  readonly namespace: Namespace | undefined;
}

/** See the file's comment. */
export class ClusterFacts {
  readonly #facts: FactTable;
  readonly #localNode: string;
  #sources = new Map<string, Source>();
  #objects: FactObjects | undefined;
  #views: LabelViews | undefined;

  constructor(facts: FactTable, localNode: string) {
    this.#facts = facts;
    this.#localNode = localNode;
  }

  update(objects: FactObjects, views: LabelViews): void {
    const last = this.#objects;
    const isSameViews = views === this.#views;
    if (
      isSameViews &&
      last?.pods === objects.pods &&
      last.nodes === objects.nodes &&
      last.namespaces === objects.namespaces
    )
      return;
    this.#objects = objects;
    this.#views = views;
    const before = this.#sources;
    const now = new Map<string, Source>();
    const isKnown = (owner: string, source: Source) => {
      now.set(owner, source);
      const old = before.get(owner);
      return isSameViews && old?.object === source.object && old.namespace === source.namespace;
    };
    for (const node of objects.nodes) {
      const owner = `node ${node.name}`;
      if (isKnown(owner, { object: node, namespace: undefined })) continue;
      this.#facts.put(owner, nodeFacts(node, node.name === this.#localNode, views), RANK.node);
    }
    for (const pod of objects.pods) {
      const owner = `pod ${podKey(pod.namespace, pod.name)}`;
      const namespace = objects.namespaces.get(pod.namespace);
      if (isKnown(owner, { object: pod, namespace })) continue;
      this.#facts.put(owner, podFacts(pod, namespaceLabels(pod.namespace, namespace), views), RANK.pod);
    }
    for (const owner of before.keys()) if (!now.has(owner)) this.#facts.delete(owner);
    this.#sources = now;
  }
}
