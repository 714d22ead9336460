/** Which kinds are served now: the built-in ones and those of CustomResourceDefinitions. */

import { apiVersionOf, BUILTIN_RESOURCES, type ResourceType } from "./resources.ts";

/** The served kinds. */
export interface Registry {
  byPlural(group: string, version: string, plural: string): ResourceType | undefined;
  byKind(apiVersion: string, kind: string): ResourceType | undefined;
  /** Any served version of what is stored there. */
  byStorage(storage: string): ResourceType | undefined;
  all(): readonly ResourceType[];
  /** Groups in order of first appearance, each with its versions, the preferred one first. */
  groups(): ReadonlyMap<string, readonly string[]>;
  /** Replaces all kinds of one definition; an empty list ends serving them. */
  setCustom(definition: string, types: readonly ResourceType[]): void;
}

/** A registry with the built-in kinds. */
export function createRegistry(): Registry {
  const custom = new Map<string, readonly ResourceType[]>();
  let all: readonly ResourceType[] = [];
  let byPath = new Map<string, ResourceType>();
  let byKind = new Map<string, ResourceType>();
  let byStorage = new Map<string, ResourceType>();

  function rebuild(): void {
    all = [...BUILTIN_RESOURCES, ...[...custom.values()].flat()];
    byPath = new Map(all.map((r) => [`${apiVersionOf(r)}/${r.plural}`, r]));
    byKind = new Map(all.map((r) => [`${apiVersionOf(r)}/${r.kind}`, r]));
    // Reversed, so that the first (preferred) version stays.
    byStorage = new Map([...all].reverse().map((r) => [r.storage, r]));
  }
  rebuild();
  return {
    byPlural: (group, version, plural) => byPath.get(`${apiVersionOf({ group, version })}/${plural}`),
    byKind: (apiVersion, kind) => byKind.get(`${apiVersion}/${kind}`),
    byStorage: (storage) => byStorage.get(storage),
    all: () => all,
    groups() {
      const out = new Map<string, string[]>();
      for (const r of all) {
        const versions = out.get(r.group) ?? [];
        if (!versions.includes(r.version)) versions.push(r.version);
        out.set(r.group, versions);
      }
      return out;
    },
    setCustom(definition, types) {
      if (types.length === 0) custom.delete(definition);
      else custom.set(definition, types);
      rebuild();
    },
  };
}
