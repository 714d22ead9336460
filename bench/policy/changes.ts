/** Changes of a synthetic cluster, one at a time, as watches tell of them. */

import type { ClusterTable } from "../../src/cluster/source.ts";
import { createRandom } from "../../src/policy/testing/random.ts";
import { LOCAL_NODE, namespaceObject, podObject, type SyntheticCluster } from "./cluster.ts";
import { type Dialect, dialectOf, makePolicy, type RawObject } from "./policies.ts";

/** Kinds of changes that are timed. */
export const CHANGES = [
  "policy-change",
  "policy-add",
  "policy-delete",
  "pod-add",
  "pod-delete",
  "pod-label",
  "namespace-label",
] as const;
export type ChangeName = (typeof CHANGES)[number];

/** What happens: an object appears or is another, or a key is gone. */
export interface ClusterEvent {
  readonly name: ChangeName;
  readonly put: RawObject | undefined;
  readonly gone: { readonly table: ClusterTable; readonly key: string } | undefined;
  /** Of the policy that it is about. */
  readonly dialect: Dialect | undefined;
}

/** Key of an object in its table. */
export function keyOf({ object }: RawObject): string {
  const { namespace, name } = (object as { metadata: { namespace?: string; name: string } }).metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

interface PodMetadata {
  readonly namespace: string;
  readonly labels: { readonly app: string };
}

const isLocal = (pod: object) => (pod as { spec: { nodeName: string } }).spec.nodeName === LOCAL_NODE;

/** The policy as one of the pod's namespace, about the pod's application where it is about one. */
function aimAt({ namespace, labels: { app } }: PodMetadata, { table, object }: RawObject): RawObject {
  const { metadata, spec } = object as { metadata: { namespace?: string }; spec: Record<string, unknown> };
  if (metadata.namespace === undefined) return { table, object };
  const isOfApp = (at: unknown) =>
    (at as { matchLabels?: { app?: string } } | undefined)?.matchLabels?.app !== undefined;
  const changed = {
    ...(typeof spec["selector"] === "string" && { selector: `app == '${app}'` }),
    ...(isOfApp(spec["podSelector"]) && { podSelector: { matchLabels: { app } } }),
    ...(isOfApp(spec["endpointSelector"]) && { endpointSelector: { matchLabels: { app } } }),
  };
  return { table, object: { ...object, metadata: { ...metadata, namespace }, spec: { ...spec, ...changed } } };
}

/**
 * `rounds` events of each kind, mixed. What changes is drawn from the whole cluster except for policies: those are about
 * pods of the node, so that there is something to do.
 */
export function* makeChanges(cluster: SyntheticCluster, rounds: number, seed = 2): Generator<ClusterEvent> {
  const r = createRandom(seed);
  const { size, places } = cluster;
  const remote = () => {
    for (;;) {
      const i = r.below(size.pods);
      const place = places[i];
      if (place !== undefined && place.node !== 0) return { i, place };
    }
  };
  const put = (name: ChangeName, object: RawObject, dialect?: Dialect): ClusterEvent => ({
    name,
    put: object,
    gone: undefined,
    dialect,
  });
  const gone = (name: ChangeName, object: RawObject, dialect?: Dialect): ClusterEvent => ({
    name,
    put: undefined,
    gone: { table: object.table, key: keyOf(object) },
    dialect,
  });
  const local = cluster.objects.flatMap(({ table, object }) => (table === "pods" && isLocal(object) ? [object] : []));
  for (let round = 0; round < rounds; round++) {
    const number = size.policies + 2 * round + r.below(2) * 37;
    const pod = (r.pick(local) as { metadata: PodMetadata }).metadata;
    const [added, again] = [1, 2].map(() => aimAt(pod, makePolicy(number, r, size.namespaces))) as [
      RawObject,
      RawObject,
    ];
    const dialect = dialectOf(number);
    yield put("policy-add", added, dialect);
    yield put("policy-change", again, dialect);
    yield gone("policy-delete", again, dialect);
    const { i, place } = remote();
    yield gone("pod-delete", { table: "pods", object: podObject(i, size, place) });
    yield put("pod-add", { table: "pods", object: podObject(i, size, place) });
    const other = remote();
    yield put("pod-label", { table: "pods", object: podObject(other.i, size, other.place, 1 + round) });
    const namespace = 2 + r.below(size.namespaces - 2);
    yield put("namespace-label", { table: "namespaces", object: namespaceObject(namespace, r) });
  }
}
