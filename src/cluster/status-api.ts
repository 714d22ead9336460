/** Writing conditions into the status of objects. */

import type { ObjectCondition } from "./reports.ts";

/**
 * What became of it. `gone`: there is no such object. `no-status`: its kind has none. `conflict`: somebody else wrote just
 * then. `same`: all of it stood there already.
 */
export type Written = "written" | "same" | "gone" | "no-status" | "conflict";

/** See the file's comment. */
export interface StatusApi extends Disposable {
  /** Sets conditions by their types; others stay. @param path of the object @throws ClusterError */
  writeConditions(path: string, conditions: readonly ObjectCondition[], signal: AbortSignal): Promise<Written>;
}
