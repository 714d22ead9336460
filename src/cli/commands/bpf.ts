/** `twill bpf list|dump`: the pinned maps, decoded; with and without an agent. */

import type { Command } from "commander";
import type { Kernel } from "../../kernel/kernel.ts";
import type { DecodedRow } from "../decode-text.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";
import { formatShare, formatTable } from "../table.ts";

interface DumpOptions extends NodeOptions {
  readonly limit: number;
}

/** What `twill bpf dump MAP --json` prints. */
export interface MapDump {
  readonly map: string;
  /** Entries of the map, with those that are not printed. */
  readonly total: number;
  /** `--limit` has cut `entries` short. */
  readonly truncated: boolean;
  readonly entries: readonly DecodedRow[];
}

/** Entries printed without `--limit`. */
const DEFAULT_LIMIT = 1000;

function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`--limit: "${text}" is no whole number from 1`);
  return Number(text);
}

async function withKernel(io: Io, options: NodeOptions, work: (kernel: Kernel, pins: string) => void | Promise<void>) {
  const { openNodeKernel } = await import("../../agent/open-node.ts");
  const { pins } = await nodePaths(io, options);
  using kernel = openNodeKernel(pins);
  if (kernel.maps().length === 0)
    throw new UsageError(`No map is pinned below "${pins}": no agent has run in this namespace since the boot`);
  await work(kernel, pins);
}

async function list(io: Io, options: NodeOptions): Promise<void> {
  await withKernel(io, options, async (kernel) => {
    const { readMaps } = await import("../../agent/status/kernel-status.ts");
    const maps = readMaps(kernel, undefined);
    if (options.json) return printJson(io, maps);
    const rows = maps.map((m) => {
      const share = m.entries === undefined ? "-" : formatShare(m.entries, m.maxEntries);
      return [m.name, m.type, m.entries === undefined ? "-" : `${m.entries}`, `${m.maxEntries}`, share];
    });
    io.out(formatTable(["MAP", "TYPE", "ENTRIES", "SIZE", "FILL"], rows));
  });
}

async function dump(io: Io, name: string, options: DumpOptions): Promise<void> {
  await withKernel(io, options, async (kernel) => {
    const { decodeRow } = await import("../decode-map.ts");
    const { nearest } = await import("../../base/nearest.ts");
    const maps = kernel.maps();
    const names = maps.map((m) => m.name);
    const map = maps.find((m) => m.name === name);
    if (map === undefined) {
      const near = nearest(name, names);
      throw new UsageError(
        `There is no map "${name}": ${near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`}`,
      );
    }
    const rows = kernel.mapRows(name);
    const total = rows.length;
    const decoded = rows.slice(0, options.limit).map((row) => decodeRow(name, row));
    const truncated = decoded.length < total;
    if (truncated)
      io.err(`"${name}" has ${total} entries, of which ${decoded.length} are printed: --limit ${total} prints all\n`);
    if (options.json) return printJson(io, { map: name, total, truncated, entries: decoded } satisfies MapDump);
    if (map.type === "ringbuf")
      return io.out(
        `Map "${name}" is a ring buffer, which keeps no entries: twill monitor shows what comes out of it.\n`,
      );
    if (decoded.length === 0) return io.out(`Map "${name}" is empty.\n`);
    const header = Object.keys(decoded[0] ?? {});
    io.out(
      formatTable(
        header.map((h) => h.toUpperCase()),
        decoded.map((d) => header.map((h) => `${d[h]}`)),
      ),
    );
  });
}

/** Adds the commands. */
export function addBpf(program: Command, io: Io): void {
  const bpf = program.command("bpf").description("maps of the data plane");
  withJson(withNodeOptions(bpf.command("list").description("all maps and their fill"))).action((options: NodeOptions) =>
    list(io, options),
  );
  withJson(withNodeOptions(bpf.command("dump <map>").description("entries of a map, decoded")))
    .option("--limit <n>", "most entries that are printed; what is left out is told", parseLimit, DEFAULT_LIMIT)
    .action((map: string, options: DumpOptions) => dump(io, map, options));
}
