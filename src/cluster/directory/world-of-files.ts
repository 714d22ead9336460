/** A cluster to ask about, from files alone. */

import { podKey } from "../../model/pod.ts";
import { withAddresses } from "../../policy/ask/made-up-addresses.ts";
import { createWorld, type World } from "../../policy/ask/world.ts";
import type { PolicyMode } from "../../policy/from-objects.ts";
import { createStore } from "../../store/store.ts";
import type { ClusterRows, ClusterSnapshot } from "../source.ts";
import { TABLE_NAMES } from "../tables.ts";
import type { ReadFile, Refusal } from "./read-once.ts";
import { podsOfWorkloads } from "./workloads.ts";

/** What files say of a cluster. */
export interface FileWorld {
  readonly world: World;
  readonly refused: readonly Refusal[];
  /** Keys of pods whose manifests have no address: theirs are made up. */
  readonly madeUp: readonly string[];
  /** Keys of pods that stand for a workload, as a Deployment: of its name, with its template's labels. */
  readonly workloads: readonly string[];
}

/** The rows of all files, those that count, and what was refused. Of two objects with one name the first counts. */
export function rowsOfFiles(files: readonly ReadFile[]): {
  readonly tables: ClusterSnapshot["tables"];
  readonly refused: readonly Refusal[];
  /** Objects that count as they are. */
  readonly valid: number;
} {
  const refused: Refusal[] = [];
  const changes = new Map<keyof ClusterRows, { key: string; row: unknown }[]>();
  const firsts = new Map<string, string>();
  let valid = 0;
  for (const { path: file, content } of files) {
    for (const { kind, name = "", ...b } of content.broken) refused.push({ ...b, file, kind, name });
    for (const { place, kind, key, row, issues, closed } of content.objects) {
      const head = { file, place, kind: kind.kind, name: key };
      const id = `${kind.table} ${key}`;
      const first = firsts.get(id);
      if (row === undefined) refused.push({ ...head, issues });
      if (first !== undefined) {
        const message = `"${key}" stands in "${first}" already`;
        if (row !== undefined) refused.push({ ...head, issues: [{ path: "metadata.name", message }] });
        continue;
      }
      // What a node enforces that knows no earlier version of it.
      const counted = row ?? closed;
      if (counted === undefined) continue;
      firsts.set(id, `${file}#${place}`);
      const rows = changes.get(kind.table) ?? [];
      rows.push({ key, row: counted });
      changes.set(kind.table, rows);
      if (row !== undefined) valid++;
    }
  }
  const store = createStore<ClusterRows>(TABLE_NAMES);
  return { tables: store.transact(Object.fromEntries(changes)).tables, refused, valid };
}

/** The cluster that the files make. @param mode which pods are closed that no policy isolates */
export function worldOfFiles(files: readonly ReadFile[], mode: PolicyMode = "default"): FileWorld {
  const { tables, refused } = rowsOfFiles(files);
  const fromTemplates = podsOfWorkloads(files, [...tables.pods]);
  const { pods, madeUp } = withAddresses([...tables.pods, ...fromTemplates.pods], tables.nodes);
  return {
    world: createWorld({ ...tables, pods: [...pods.values()] }, mode),
    refused: [...refused, ...fromTemplates.refused],
    madeUp,
    workloads: fromTemplates.pods.map((p) => podKey(p.namespace, p.name)),
  };
}
