/** Opens what a node remembers and what its kernel has: for the agent, and for commands that work without one. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kernel } from "../kernel/kernel.ts";
import { createLinuxKernel } from "../kernel/linux/linux-kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { openLedger } from "../ledger/open.ts";
import { RUN_FILES } from "./config/default-paths.ts";

/** Another process holds the node's lock for microseconds; longer than this means that it hangs. */
const LOCK_TIMEOUT_MS = 5000;

/** Milliseconds of CLOCK_MONOTONIC: the same for all processes of a boot. */
function monotonicMs(): number {
  return Math.floor(Number(process.hrtime.bigint() / 1_000_000n));
}

/** The ledger below the run directory. @throws LedgerError that says what to do */
export function openNodeLedger(runDirectory: string, coolDownMs: number): Ledger {
  return openLedger({
    path: join(runDirectory, RUN_FILES.ledger),
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    coolDownMs,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    monotonicMs,
  });
}

/** The kernel of the namespace that this process is in. Loads and changes nothing. */
export function openNodeKernel(pinDirectory: string): Kernel {
  return createLinuxKernel({ pinDirectory });
}
