/** A cluster to ask about, from files alone. */

import type { Issue } from "../../base/issue.ts";
import { withAddresses } from "../../policy/ask/made-up-addresses.ts";
import { createWorld, type World } from "../../policy/ask/world.ts";
import type { PolicyMode } from "../../policy/from-objects.ts";
import { createStore } from "../../store/store.ts";
import type { ClusterRows, ClusterSnapshot } from "../source.ts";
import { TABLE_NAMES } from "../tables.ts";
import type { ReadFile } from "./read-once.ts";

/** An object that takes no part, and why. */
export interface Refusal {
  readonly file: string;
  /** Number of the document in the file, from 1, and of the item in a list: `3` or `3[0]`. */
  readonly place: string;
  /** undefined: it could not be made out. */
  readonly kind: string | undefined;
  /** `namespace/name` or name; `""`: it could not be made out. */
  readonly name: string;
  readonly issues: readonly Issue[];
}

/** What files say of a cluster. */
export interface FileWorld {
  readonly world: World;
  readonly refused: readonly Refusal[];
  /** Keys of pods whose manifests have no address: theirs are made up. */
  readonly madeUp: readonly string[];
}

/** The rows of all files, those that count, and what was refused. Of two objects with one name the first counts. */
export function rowsOfFiles(files: readonly ReadFile[]): {
  readonly tables: ClusterSnapshot["tables"];
  readonly refused: readonly Refusal[];
} {
  const refused: Refusal[] = [];
  const changes = new Map<keyof ClusterRows, { key: string; row: unknown }[]>();
  const firsts = new Map<string, string>();
  for (const { path: file, content } of files) {
    for (const { place, issues } of content.broken) refused.push({ file, place, kind: undefined, name: "", issues });
    for (const { place, kind, key, row, issues } of content.objects) {
      const head = { file, place, kind: kind.kind, name: key };
      const id = `${kind.table} ${key}`;
      const first = firsts.get(id);
      if (row === undefined) refused.push({ ...head, issues });
      else if (first !== undefined)
        refused.push({
          ...head,
          issues: [{ path: "metadata.name", message: `"${key}" stands in "${first}" already` }],
        });
      else {
        firsts.set(id, `${file}#${place}`);
        const rows = changes.get(kind.table) ?? [];
        rows.push({ key, row });
        changes.set(kind.table, rows);
      }
    }
  }
  const store = createStore<ClusterRows>(TABLE_NAMES);
  return { tables: store.transact(Object.fromEntries(changes)).tables, refused };
}

/** The cluster that the files make. @param mode which pods are closed that no policy isolates */
export function worldOfFiles(files: readonly ReadFile[], mode: PolicyMode = "default"): FileWorld {
  const { tables, refused } = rowsOfFiles(files);
  const { pods, madeUp } = withAddresses(tables.pods, tables.nodes);
  return { world: createWorld({ ...tables, pods: [...pods.values()] }, mode), refused, madeUp };
}
