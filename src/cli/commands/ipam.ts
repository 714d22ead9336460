/** `twill ipam show|check`: from the ledger, so with and without an agent. */

import { join } from "node:path";
import type { Command } from "commander";
import type { AgentPaths } from "../../agent/config/config.ts";
import { RUN_FILES } from "../../agent/config/default-paths.ts";
import type { Finding } from "../../agent/ipam-check.ts";
import type { AgentStatus, PoolStatus } from "../../agent/status/status.ts";
import { err } from "../../base/result.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { AgentAwayError, ask } from "../client.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import {
  controlSocket,
  hasLedger,
  loadCommandConfig,
  type NodeBasics,
  type NodeOptions,
  nodeBasics,
  withJson,
  withNodeOptions,
} from "../options.ts";
import { shortNumber } from "../status-text.ts";
import { formatShare, formatTable } from "../table.ts";

interface CheckOptions extends NodeOptions {
  readonly fix?: boolean;
}

/** A lease for people and programs. */
interface LeaseView {
  readonly address: string;
  readonly pool: string;
  readonly state: "used" | "cooling";
  readonly holder: string | null;
}

async function openLedger({ paths, coolDownMs }: NodeBasics): Promise<Ledger> {
  if (!hasLedger(paths))
    throw new UsageError(`There is no ledger below "${paths.run}": no agent has run here since the boot`);
  const { openNodeLedger } = await import("../../agent/open-node.ts");
  return openNodeLedger(paths.run, coolDownMs);
}

/** The agent's figures; without one, those of the pools that it left, else of the node as it last saw it. */
async function readPools(
  io: Io,
  options: NodeOptions,
  paths: AgentPaths,
  ledger: Ledger,
): Promise<readonly PoolStatus[]> {
  try {
    return (await ask<AgentStatus>(controlSocket(paths), "/v1/status")).pools;
  } catch (error) {
    if (!(error instanceof AgentAwayError)) throw error;
  }
  const { poolStatus } = await import("../../agent/status/ledger-status.ts");
  const { readOfflineSettings } = await import("../../agent/cni/offline-files.ts");
  const left = readOfflineSettings(paths.run);
  if (left !== undefined) return poolStatus(ledger, left.pools);
  const { ClusterMemory } = await import("../../agent/cluster-memory.ts");
  const { makePool } = await import("../../ipam/pool.ts");
  const config = await loadCommandConfig(io, options);
  const self = new ClusterMemory(join(paths.run, RUN_FILES.nodes)).load()?.find((n) => n.name === config.nodeName);
  return poolStatus(
    ledger,
    (self?.podCidrs ?? []).map((c) => makePool(c.text, c, config.ipam.reserved)),
  );
}

function leaseViews(ledger: Ledger): LeaseView[] {
  const names = new Map(
    ledger.endpoints().map((e) => [e.id, e.podName === undefined ? e.containerId : `${e.podNamespace}/${e.podName}`]),
  );
  return ledger.leases().map((l) => ({
    address: l.addr.text,
    pool: l.pool,
    state: l.endpoint === undefined ? "cooling" : "used",
    holder: l.endpoint === undefined ? null : (names.get(l.endpoint) ?? `attachment ${l.endpoint}`),
  }));
}

async function show(io: Io, options: NodeOptions): Promise<void> {
  const basics = await nodeBasics(io, options);
  const { paths } = basics;
  using ledger = await openLedger(basics);
  const pools = await readPools(io, options, paths, ledger);
  const leases = leaseViews(ledger);
  if (options.json) return printJson(io, { pools, leases });
  const rows = pools.map((p) => [
    p.prefix,
    shortNumber(p.usable),
    p.used,
    p.cooling,
    shortNumber(p.free),
    formatShare(Number(p.used), Number(p.usable)),
  ]);
  io.out(formatTable(["POOL", "USABLE", "USED", "COOLING", "FREE", "FILL"], rows));
  if (leases.length === 0) return;
  io.out(
    `\n${formatTable(
      ["ADDRESS", "STATE", "HOLDER"],
      leases.map((l) => [l.address, l.state, l.holder ?? "-"]),
    )}`,
  );
}

async function check(io: Io, options: CheckOptions): Promise<void> {
  const basics = await nodeBasics(io, options);
  const { paths } = basics;
  using ledger = await openLedger(basics);
  const { openNodeKernel } = await import("../../agent/open-node.ts");
  const { checkIpam, fixIpam } = await import("../../agent/ipam-check.ts");
  const { newMac } = await import("../../agent/new-mac.ts");
  using kernel = openNodeKernel(paths.pins);
  const before = ledger.exclusive(() => checkIpam({ kernel, ledger }));
  let left = before;
  if (options.fix && before.length > 0) {
    const settings = () => ({ pools: [], mtuBytes: 0 });
    // Nothing is attached here.
    const policy = { admit: () => err("this only mends") };
    left = fixIpam({ kernel, ledger, settings, policy, problems: () => [], nowMs: io.nowMs, newMac });
  }
  if (left.length > 0) io.setExitCode(1);
  if (options.json) return printJson(io, { findings: before, left });
  printFindings(io, before, left, options.fix === true);
}

function printFindings(io: Io, before: readonly Finding[], left: readonly Finding[], isFix: boolean): void {
  const { palette: p } = io;
  if (before.length === 0) {
    io.out(p.good("Ledger, devices and maps agree.\n"));
    return;
  }
  const rows = before.map((f) => {
    const isLeft = left.some((l) => l.kind === f.kind && l.subject === f.subject);
    return [isLeft ? p.bad("✗") : p.good("mended"), f.kind, f.subject, f.message];
  });
  io.out(formatTable(["", "WHAT", "SUBJECT", "WHY"], rows));
  if (!isFix) io.out("\ntwill ipam check --fix mends them.\n");
}

/** Adds the commands. */
export function addIpam(program: Command, io: Io): void {
  const ipam = program.command("ipam").description("addresses of this node's pods");
  withJson(withNodeOptions(ipam.command("show").description("pools and leases"))).action((options: NodeOptions) =>
    show(io, options),
  );
  withJson(withNodeOptions(ipam.command("check").description("whether ledger, devices and maps agree")))
    .option("--fix", "mend what does not")
    .action((options: CheckOptions) => check(io, options));
}
