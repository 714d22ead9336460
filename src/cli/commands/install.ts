/** `twill install`: prepares a node for an agent in a container; the container's install step runs it. */

import { join } from "node:path";
import type { Command } from "commander";
import { DEFAULT_PATHS } from "../../agent/config/default-paths.ts";
import { type Io, printJson } from "../io.ts";
import { withJson } from "../options.ts";

interface InstallOptions {
  readonly host: string;
  readonly json?: boolean;
}

async function install(io: Io, { host, json }: InstallOptions): Promise<void> {
  const { copyHome } = await import("../../agent/host-copy.ts");
  const { mountBpffs } = await import("../../kernel/linux/bpffs.ts");
  const { HOME } = await import("../../kernel/linux/home.ts");
  const copy = copyHome(HOME, host);
  mountBpffs(join(host, DEFAULT_PATHS.bpffs));
  if (json) return printJson(io, copy);
  io.out(`${copy.isNew ? "Copied Twill to" : "Twill is already at"} ${copy.directory}\n`);
  for (const old of copy.removed) io.out(`Removed ${old}\n`);
}

/** Adds the command. */
export function addInstall(program: Command, io: Io): void {
  withJson(program.command("install"))
    .description("copy Twill to a node's disk and mount its BPF file system; for Twill's own container")
    .requiredOption("--host <directory>", "where the node's root is mounted")
    .action((options: InstallOptions) => install(io, options));
}
