// npm packages, the pinned Node.js among them: `npm ci` when what is installed is not what the lock file says.

import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { isThere, withSbin } from "./probe.mjs";
import { mustRun, step } from "./steps.mjs";

/** The pinned Node.js of this machine's architecture, relative to the checkout. */
export const pinnedNode = `node_modules/node-linux-${process.arch}/bin/node`;

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
  } catch {
    return undefined;
  }
}

/**
 * Why node_modules must be made anew, or undefined. npm leaves a copy of the lock file of what it really installed in
 * node_modules/.package-lock.json: comparing the two costs a millisecond and needs no stamp of our own.
 */
export function staleReason(root) {
  const wanted = lockedPackages(join(root, "package-lock.json")) ?? {};
  const have = lockedPackages(join(root, "node_modules/.package-lock.json"));
  if (have === undefined) return "node_modules is not there";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.optional) continue;
    if (have[path]?.version !== entry.version) return `${path} should be ${entry.version}`;
  }
  if (!isThere(join(root, pinnedNode))) return `${pinnedNode} is not there`;
  const node = `node_modules/node-linux-${process.arch}`;
  if (have[node]?.version !== wanted[node]?.version) return `${node} should be ${wanted[node]?.version}`;
  return undefined;
}

/** PATH without this checkout's own programs: npm must not run on the Node.js that it is about to replace. */
function outsidePath(root) {
  return withSbin(process.env.PATH)
    .split(delimiter)
    .filter((dir) => !dir.startsWith(join(root, "node_modules")))
    .join(delimiter);
}

/**
 * Installs the locked npm packages when they are not there yet.
 * @throws SetupError
 */
export async function ensureModules(root, logDir) {
  const reason = staleReason(root);
  if (reason === undefined) return;
  const env = { ...process.env, PATH: outsidePath(root) };
  // npm hands its own settings down to scripts; the inner npm must read them afresh.
  for (const name of Object.keys(env)) if (name.startsWith("npm_")) delete env[name];
  await step(`npm ci: Node.js and the libraries of package-lock.json (${reason})`, () =>
    mustRun("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: root,
      env,
      log: join(logDir, "npm-ci.log"),
      remedy: "Look whether npm reaches its registry here (npm ping); behind a proxy set npm's proxy and cafile.",
    }),
  );
}
