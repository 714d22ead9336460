/** What kube-proxy left on this node: found by the tools that it is made with, and taken away by them. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { nftTables, parseSaved, planTable, restoreInput, type TableCleanup } from "./saved-rules.ts";

/** What a command came to. */
export interface Ran {
  /** undefined: there is no such program. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with an input. */
export type Run = (argv: readonly string[], input?: string) => Promise<Ran>;

/** One step that takes something away. */
export interface LeftoverStep {
  /** In an operator's words. */
  readonly what: string;
  /** @throws Error with what the program said */
  run(): Promise<void>;
}

/** What there is. */
export interface Leftovers {
  readonly steps: readonly LeftoverStep[];
  /** What stays, and why. */
  readonly kept: readonly string[];
}

const MAX_BYTES = 256 << 20;
const TIMEOUT_MS = 60_000;
/** The device that holds the services' addresses in IPVS mode. */
const IPVS_DEVICE = "kube-ipvs0";

/** Runs a program; nothing of it is a shell's. */
export const runProgram: Run = (argv, input = "") =>
  new Promise((resolve) => {
    const [program = "", ...rest] = argv;
    const child = spawn(program, rest, { timeout: TIMEOUT_MS, env: { ...process.env, LC_ALL: "C" } });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.length > MAX_BYTES) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    // One that ends early has not read it all.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => resolve({ code: undefined, stdout, stderr: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
    child.stdin.end(input);
  });

/** Programs by the kind of tables: asking for the old kind would load its modules where nobody has any. */
function variants(): string[] {
  const hasOld = (file: string) => existsSync(file) && readFileSync(file, "utf8").trim() !== "";
  return [
    "iptables-nft",
    "ip6tables-nft",
    ...(hasOld("/proc/net/ip_tables_names") ? ["iptables-legacy"] : []),
    ...(hasOld("/proc/net/ip6_tables_names") ? ["ip6tables-legacy"] : []),
  ];
}

function describe({ table, chains, jumps }: TableCleanup, program: string): string {
  return `${program}: table ${table}, ${chains.length} chains of kube-proxy and ${jumps.length} rules that lead into them`;
}

async function must(run: Run, argv: readonly string[], input?: string): Promise<void> {
  const { code, stderr } = await run(argv, input);
  if (code !== 0) throw new Error(`Cannot run ${argv.join(" ")}: ${stderr.trim() || `it ended with ${code}`}`);
}

async function ofIptables(run: Run, program: string): Promise<Leftovers> {
  const { code, stdout } = await run([`${program}-save`]);
  if (code !== 0) return { steps: [], kept: [] };
  const plans = parseSaved(stdout).flatMap((t) => planTable(t) ?? []);
  const kept = plans.flatMap((p) =>
    p.kept.map((k) => `${program}: chain ${k.chain} of table ${p.table}: "${k.rule}" leads into it`),
  );
  const steps = plans
    .filter((p) => p.chains.length > 0 || p.jumps.length > 0)
    .map((p) => ({
      what: describe(p, program),
      run: () => must(run, [`${program}-restore`, "--noflush"], restoreInput([p])),
    }));
  return { steps, kept };
}

async function ofNft(run: Run): Promise<LeftoverStep[]> {
  const { code, stdout } = await run(["nft", "list", "tables"]);
  if (code !== 0) return [];
  return nftTables(stdout).map((table) => ({
    what: `nft: table ${table}`,
    run: () => must(run, ["nft", "delete", "table", ...table.split(" ")]),
  }));
}

/** Virtual servers belong to nobody by name: those at addresses of kube-proxy's device are its own. */
async function ofIpvs(run: Run): Promise<Leftovers> {
  const { code, stdout } = await run(["ip", "-o", "addr", "show", "dev", IPVS_DEVICE]);
  if (code !== 0) return { steps: [], kept: [] };
  const addrs = new Set([...stdout.matchAll(/\binet6? (\S+?)\//g)].map((m) => m[1] ?? ""));
  const servers = await run(["ipvsadm", "-S", "-n"]);
  const own = servers.stdout.split("\n").flatMap((line) => {
    const m = /^-A (-[tu]|--sctp-service) (\[([^\]]+)\]|([^:]+)):(\d+)/.exec(line);
    const at = m?.[3] ?? m?.[4] ?? "";
    return m === null || !addrs.has(at) ? [] : [[m[1] ?? "", `${m[2]}:${m[5]}`]];
  });
  const steps = own.map(([kind = "", at = ""]) => ({
    what: `ipvsadm: virtual server ${at}`,
    run: () => must(run, ["ipvsadm", "-D", kind, at]),
  }));
  // Without its addresses a virtual server is asked by nobody: the device goes all the same.
  const why = servers.stderr.trim().split("\n")[0] || `it ended with ${servers.code}`;
  return {
    steps: [...steps, { what: `ip link del ${IPVS_DEVICE}`, run: () => must(run, ["ip", "link", "del", IPVS_DEVICE]) }],
    kept: servers.code === 0 ? [] : [`virtual servers of IPVS, if there are any: ipvsadm cannot list them: ${why}`],
  };
}

/** Looks for all kinds. */
export async function findLeftovers(run: Run = runProgram): Promise<Leftovers> {
  const found: Leftovers[] = [];
  // The device first: rules of IPVS mode speak of it.
  found.push(await ofIpvs(run));
  for (const program of variants()) found.push(await ofIptables(run, program));
  found.push({ steps: await ofNft(run), kept: [] });
  return { steps: found.flatMap((f) => f.steps), kept: found.flatMap((f) => f.kept) };
}

/** Process ids of kube-proxy on this machine: it would put everything back. */
export function runningProxies(proc = "/proc"): number[] {
  return readdirSync(proc).flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`${proc}/${name}/comm`, "utf8").trim() === "kube-proxy" ? [Number(name)] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}
