/** `twill version`. */

import type { Command } from "commander";
import { VERSION } from "../../base/version.ts";
import { AgentAwayError, ask } from "../client.ts";
import { type Io, printJson } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";

async function agentVersion(io: Io, options: NodeOptions): Promise<string | undefined> {
  try {
    const paths = await nodePaths(io, options);
    return (await ask<{ version: string }>(controlSocket(paths), "/v1/version")).version;
  } catch (error) {
    if (error instanceof AgentAwayError) return undefined;
    throw error;
  }
}

/** Adds the command. */
export function addVersion(program: Command, io: Io): void {
  withJson(
    withNodeOptions(program.command("version").description("version of this program and of the running agent")),
  ).action(async (options: NodeOptions) => {
    const agent = await agentVersion(io, options);
    if (options.json) printJson(io, { client: VERSION, agent: agent ?? null });
    else io.out(`twill ${VERSION}\nagent ${agent ?? "not running"}\n`);
  });
}
