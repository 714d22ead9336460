/**
 * The plugin without an agent: one call in a short-lived process. The shim executes it in its own place, with the same
 * environment and standard input, as the agent's file says.
 *
 * Nothing is imported before the cache of compiled code is on: starting is most of what a call costs here.
 */

import { enableCompileCache } from "node:module";

const [, , settingsPath, cacheDirectory] = process.argv;
if (cacheDirectory !== undefined) enableCompileCache(cacheDirectory);
const { callOffline } = await import("./offline-call.ts");
process.exitCode = callOffline(settingsPath);
