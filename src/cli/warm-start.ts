/**
 * An agent that lives for weeks should not carry what only its first seconds need: Node's remover of types is 4 MB of source
 * and another 20 MB once it has run, and stays for the life of a process. It runs only for files that the compile cache does not have: after a
 * node's boot, or an update, for all of them.
 */

import { flushCompileCache, getCompileCacheDir } from "node:module";

/** Set for the process that has begun anew: whatever it still finds cold, it goes on. */
const MARK = "TWILL_WARM_START";

/** Node's name for what removes types. */
const REMOVER = /\/amaro\//;

/** What the decision follows from. */
export interface Warmth {
  readonly loaded: readonly string[];
  /** undefined: there is no compile cache. */
  readonly cacheDirectory: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Whether another start would find what this one had to make. */
export function shouldBeginAnew({ loaded, cacheDirectory, env }: Warmth): boolean {
  return cacheDirectory !== undefined && env[MARK] === undefined && loaded.some((name) => REMOVER.test(name));
}

/**
 * To be called when all is imported that an agent uses, and before it does anything. Where types had to be removed, the cache
 * is written and the process begins anew: it keeps its number, and its parent notices nothing.
 */
export function beginWarm(): void {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] };
  const warmth = { loaded: moduleLoadList, cacheDirectory: getCompileCacheDir(), env: process.env };
  if (process.execve === undefined || !shouldBeginAnew(warmth)) return;
  flushCompileCache();
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, argv, { ...process.env, [MARK]: "1" });
}
