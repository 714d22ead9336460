// Debian packages: installs what the probes do not find, and nothing else.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { missingPackages } from "./packages.mjs";
import { findProgram, isThere, withSbin } from "./probe.mjs";
import { mustRun, run, SetupError, say, step } from "./steps.mjs";

const options = [
  "-y",
  "-q",
  "--no-install-recommends",
  "-o",
  "Dpkg::Use-Pty=0",
  "-o",
  "Dpkg::Options::=--force-confold",
  // Another apt at work (unattended upgrades): wait for it rather than fail.
  "-o",
  "DPkg::Lock::Timeout=300",
];

function hasLists() {
  try {
    return readdirSync("/var/lib/apt/lists").some((f) => f.includes("_Packages"));
  } catch {
    return false;
  }
}

function refuse(missing, why) {
  const list = missing.map((p) => `    ${p.name} (${p.why}; looked for ${p.probe.join(" or ")})`).join("\n");
  throw new SetupError(`Missing on this machine, and ${why}:\n${list}`, "Install them by hand, then run this again.");
}

async function install(names, logDir) {
  const env = { ...process.env, PATH: withSbin(process.env.PATH), DEBIAN_FRONTEND: "noninteractive" };
  const remedy = "Look whether apt works here (apt-get update), or install the packages named above by hand.";
  const update = () =>
    step("apt-get update: the package lists are missing or old", () =>
      mustRun("apt-get", ["update", "-q"], { env, log: join(logDir, "apt-update.log"), remedy }),
    );
  if (!hasLists()) await update();
  const args = ["install", ...options, ...names];
  const log = join(logDir, "apt-install.log");
  const what = `apt-get install ${names.join(" ")}`;
  const first = await step(what, () => run("apt-get", args, { env, log }));
  if (first.code === 0) return;
  // Lists that are there but older than the mirror name files that are gone: renew them and try once more.
  await update();
  await step(`${what} (again)`, () => mustRun("apt-get", args, { env, log, remedy }));
}

/**
 * Installs the Debian packages that the verbs need and this machine lacks.
 * @throws SetupError
 */
export async function ensurePackages(verbs, logDir) {
  const missing = missingPackages(verbs, isThere);
  if (missing.length === 0) return;
  if (findProgram("apt-get") === undefined) refuse(missing, "there is no apt-get to install them with");
  if (process.getuid() !== 0) refuse(missing, "only root may install them");
  const width = Math.max(...missing.map((p) => p.name.length));
  say(`  Debian packages to install (${missing.length}), and what for:`);
  for (const p of missing) say(`    ${p.name.padEnd(width)}  ${p.why}`);
  await install(
    missing.map((p) => p.name),
    logDir,
  );
  const still = missing.filter((p) => !p.probe.some(isThere));
  if (still.length > 0) refuse(still, "their packages were installed but do not bring them");
}
