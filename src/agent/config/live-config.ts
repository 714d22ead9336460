/**
 * The configuration of a running agent: what it was started with, and what objects of the cluster make of it meanwhile. Level-
 * triggered: it is given all that applies, and works out what that changes.
 */

import { isDeepStrictEqual } from "node:util";
import type { Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import type { Settings } from "../../model/configuration.ts";
import { type AgentConfig, type ReadConfig, readConfig } from "./config.ts";
import { configKeys } from "./keys.ts";
import { type Layer, settingsIssues } from "./layers.ts";
import { configSchema } from "./schema.ts";
import { isLive } from "./scope.ts";
import { valueAt, withValue } from "./tree.ts";

/** How a configuration is made. */
export interface ConfigRecipe {
  readonly defaultNodeName: string;
  /** File, flags and what was learned, with these in between. @param over a later one counts before an earlier one */
  inputWith(over: readonly object[]): Result<unknown, readonly Issue[]>;
}

/** Paths of the keys that are read when an agent starts. */
const HELD: readonly (readonly string[])[] = configKeys(configSchema)
  .filter((k) => !isLive(k.path))
  .map((k) => k.path.split("."));

function withHeld(input: unknown, start: unknown): unknown {
  return HELD.reduce((tree, path) => withValue(tree, path, valueAt(start, path)), input);
}

/** One for the life of an agent. */
export class LiveConfig {
  readonly #recipe: ConfigRecipe;
  readonly #start: ReadConfig;
  #now: ReadConfig;
  #waits: readonly string[] = [];
  #issues: readonly Issue[] = [];
  /** By subject, what was valid last. */
  readonly #good = new Map<string, Settings>();
  #layers: readonly Layer[] = [];

  /**
   * @param plain what file, flags and what was learned say, valid
   * @param layers known at the start; what is wrong with them keeps nobody from starting
   * @param before what was in effect last on this boot, for those of them that are wrong
   */
  constructor(recipe: ConfigRecipe, plain: ReadConfig, layers: readonly Layer[], before: readonly Layer[] = []) {
    this.#recipe = recipe;
    for (const l of before) if (settingsIssues(l).length === 0) this.#good.set(l.subject, l.settings);
    const { valid, issues } = this.#pick(layers);
    const read = this.#read(valid);
    this.#start = read.ok ? read.value : plain;
    this.#now = this.#start;
    this.#layers = read.ok ? valid : [];
    this.#issues = [...issues, ...(read.ok ? [] : read.error)];
  }

  /** What is in effect. Another object after each change. */
  get config(): AgentConfig {
    return this.#now.config;
  }

  /** Keys that have another value once the agent is started anew. */
  get waits(): readonly string[] {
    return this.#waits;
  }

  /** Why something is not as the cluster's objects say. */
  get issues(): readonly Issue[] {
    return this.#issues;
  }

  /** What is in effect of the cluster's objects, those that wait included. */
  get layers(): readonly Layer[] {
    return this.#layers;
  }

  /** Takes over all that applies now. @returns whether anything is different now */
  use(layers: readonly Layer[]): boolean {
    const { valid, issues } = this.#pick(layers);
    const wanted = this.#read(valid);
    const held = wanted.ok
      ? readConfig(withHeld(wanted.value.input, this.#start.input), this.#recipe.defaultNodeName)
      : wanted;
    this.#issues = held.ok ? issues : [...issues, ...held.error];
    if (!wanted.ok || !held.ok) return false;
    this.#layers = valid;
    this.#waits = HELD.filter(
      (path) => !isDeepStrictEqual(valueAt(wanted.value.parsed, path), valueAt(this.#start.parsed, path)),
    ).map((path) => path.join("."));
    if (isDeepStrictEqual(held.value.parsed, this.#now.parsed)) return false;
    this.#now = held.value;
    return true;
  }

  #read(layers: readonly Layer[]): Result<ReadConfig, readonly Issue[]> {
    const input = this.#recipe.inputWith(layers.map((l) => l.settings));
    return input.ok ? readConfig(input.value, this.#recipe.defaultNodeName) : input;
  }

  /** In place of what is wrong, its last version that was not; one that never was valid says nothing. */
  #pick(layers: readonly Layer[]): { readonly valid: readonly Layer[]; readonly issues: readonly Issue[] } {
    const issues: Issue[] = [];
    const subjects = new Set(layers.map((l) => l.subject));
    const valid = layers.flatMap((layer): Layer[] => {
      const wrong = settingsIssues(layer);
      if (wrong.length === 0) {
        this.#good.set(layer.subject, layer.settings);
        return [layer];
      }
      issues.push(
        ...wrong.map((i) => ({ path: layer.subject, message: i.path === "" ? i.message : `${i.path}: ${i.message}` })),
      );
      const settings = this.#good.get(layer.subject);
      return settings === undefined ? [] : [{ ...layer, settings }];
    });
    for (const subject of this.#good.keys()) if (!subjects.has(subject)) this.#good.delete(subject);
    return { valid, issues };
  }
}
