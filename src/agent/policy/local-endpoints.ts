/** The attachments of this node as policy sees them: addresses from the ledger, everything else from the Pod object. */

import type { Endpoint } from "../../model/endpoint.ts";
import type { Namespace } from "../../model/namespace.ts";
import { type Pod, podKey, uidHash } from "../../model/pod.ts";
import type { Endpoint as PolicyEndpoint } from "../../policy/classes.ts";
import type { Said } from "../../policy/fact-table.ts";
import { factsAt, type LabelViews, namespaceLabels, podTraits } from "../../policy/facts.ts";
import type { Entity, Facts } from "../../policy/rule.ts";

/** What is known of one attachment. */
export interface LocalEndpoint {
  readonly id: number;
  readonly said: Said;
  /** As policies select it; undefined: it has no address. */
  readonly judged: PolicyEndpoint | undefined;
}

/** Where Pod objects are looked up. */
export interface PodTables {
  readonly pods: { get(key: string): Pod | undefined };
  readonly namespaces: { get(key: string): Namespace | undefined };
}

/** What is known of an attachment that no object is about. */
const NAMELESS: Facts = {
  entities: new Set<Entity>(["pod"]),
  labels: new Map(),
  namedPorts: [],
  services: new Set(),
};

/** The object of an attachment's pod. undefined: there is none; of another pod of the same name it is not. */
export function podOf(e: Pick<Endpoint, "podNamespace" | "podName" | "podUid">, tables: PodTables): Pod | undefined {
  if (e.podNamespace === undefined || e.podName === undefined) return undefined;
  const pod = tables.pods.get(podKey(e.podNamespace, e.podName));
  const isOther = e.podUid !== undefined && pod !== undefined && pod.uid !== 0 && pod.uid !== uidHash(e.podUid);
  return isOther ? undefined : pod;
}

/** Whether all is there that says which policies select a pod. */
export function isKnownPod(e: Pick<Endpoint, "podNamespace" | "podName" | "podUid">, tables: PodTables): boolean {
  return podOf(e, tables) !== undefined && tables.namespaces.get(e.podNamespace ?? "") !== undefined;
}

/** Whether an attachment belongs to a pod of the cluster. Others, as podman's containers, have no labels. */
export function isOfPod(e: Pick<Endpoint, "podNamespace" | "podName">): boolean {
  return e.podNamespace !== undefined && e.podName !== undefined;
}

interface Known {
  readonly endpoint: Endpoint;
  readonly pod: Pod | undefined;
  readonly namespace: Namespace | undefined;
  readonly views: LabelViews;
  readonly addrs: string;
  readonly local: LocalEndpoint;
}

/** Remembers what it made: the same object for as long as an attachment, its pod and its namespace say the same. */
export class LocalEndpoints {
  readonly #hasPods: boolean;
  #known = new Map<number, Known>();
  #input: readonly unknown[] = [];
  #locals: readonly (LocalEndpoint | undefined)[] = [];

  /** @param hasPods false: an attachment whose pod has no object has no labels, instead of not being known */
  constructor(hasPods: boolean) {
    this.#hasPods = hasPods;
  }

  /**
   * A namespace that has gone is still that of the pods that were in it.
   * @returns undefined for those whose Pod object is not there, or whose namespace never was; the same list as before as long as it says the same
   */
  update(endpoints: readonly Endpoint[], tables: PodTables, views: LabelViews): readonly (LocalEndpoint | undefined)[] {
    const input = [endpoints, tables.pods, tables.namespaces, views];
    if (input.every((x, i) => x === this.#input[i])) return this.#locals;
    this.#input = input;
    const locals = this.#look(endpoints, tables, views);
    const isSame = locals.length === this.#locals.length && locals.every((local, i) => local === this.#locals[i]);
    if (!isSame) this.#locals = locals;
    return this.#locals;
  }

  #look(endpoints: readonly Endpoint[], tables: PodTables, views: LabelViews): (LocalEndpoint | undefined)[] {
    const before = this.#known;
    this.#known = new Map();
    return endpoints.map((e) => {
      const pod = podOf(e, tables);
      if (pod === undefined && this.#hasPods && isOfPod(e)) return undefined;
      const old = before.get(e.id);
      const namespace = pod === undefined ? undefined : (tables.namespaces.get(pod.namespace) ?? old?.namespace);
      if (pod !== undefined && this.#hasPods && namespace === undefined) return undefined;
      const addrs = old?.endpoint === e ? old.addrs : e.addrs.map((a) => a.text).join(" ");
      const isSame = old?.pod === pod && old?.namespace === namespace && old?.views === views && old.addrs === addrs;
      const local = isSame && old !== undefined ? old.local : make(e, pod, namespace, views);
      this.#known.set(e.id, { endpoint: e, pod, namespace, views, addrs, local });
      return local;
    });
  }
}

function make(e: Endpoint, pod: Pod | undefined, namespace: Namespace | undefined, views: LabelViews): LocalEndpoint {
  // Whatever addresses the API shows: it learns of them after the attachment is made.
  const facts = pod === undefined ? NAMELESS : podTraits(pod, namespaceLabels(pod.namespace, namespace), views);
  const [first] = e.addrs;
  const judged = first && { key: String(e.id), of: "pods" as const, facts: factsAt(first, facts) };
  return { id: e.id, said: { addrs: e.addrs, facts }, judged };
}
