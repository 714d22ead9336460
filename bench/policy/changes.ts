/** Changes of a synthetic cluster, one at a time, as watches tell of them. */

import type { ClusterTable } from "../../src/cluster/source.ts";
import { createRandom } from "../../src/policy/testing/random.ts";
import { namespaceObject, podObject, type SyntheticCluster } from "./cluster.ts";
import { makePolicy, type RawObject } from "./policies.ts";

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
}

function keyOf({ object }: RawObject): string {
  const { namespace, name } = (object as { metadata: { namespace?: string; name: string } }).metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * `rounds` events of each kind, mixed. What changes is drawn from the whole cluster except for policies: those are of
 * `busy` namespaces, where pods of the node are, so that there is something to do.
 * @param busy names of namespaces
 */
export function* makeChanges(
  cluster: SyntheticCluster,
  busy: readonly string[],
  rounds: number,
  seed = 2,
): Generator<ClusterEvent> {
  const r = createRandom(seed);
  const { size, places } = cluster;
  const remote = () => {
    for (;;) {
      const i = r.below(size.pods);
      const place = places[i];
      if (place !== undefined && place.node !== 0) return { i, place };
    }
  };
  const put = (name: ChangeName, object: RawObject): ClusterEvent => ({ name, put: object, gone: undefined });
  const gone = (name: ChangeName, object: RawObject): ClusterEvent => ({
    name,
    put: undefined,
    gone: { table: object.table, key: keyOf(object) },
  });
  const policy = (i: number): RawObject => {
    const { table, object } = makePolicy(i, r, size.namespaces) as RawObject & { object: { metadata: object } };
    const { metadata } = object as { metadata: { namespace?: string } };
    return {
      table,
      object: { ...object, metadata: { ...metadata, ...(metadata.namespace && { namespace: r.pick(busy) }) } },
    };
  };
  for (let round = 0; round < rounds; round++) {
    const number = size.policies + 2 * round + r.below(2) * 37;
    const added = policy(number);
    const again = { ...added, object: { ...added.object, spec: (policy(number).object as { spec: object }).spec } };
    yield put("policy-add", added);
    yield put("policy-change", again);
    yield gone("policy-delete", again);
    const { i, place } = remote();
    yield gone("pod-delete", { table: "pods", object: podObject(i, size, place) });
    yield put("pod-add", { table: "pods", object: podObject(i, size, place) });
    const other = remote();
    yield put("pod-label", { table: "pods", object: podObject(other.i, size, other.place, 1 + round) });
    const namespace = 2 + r.below(size.namespaces - 2);
    yield put("namespace-label", { table: "namespaces", object: namespaceObject(namespace, r) });
  }
}
