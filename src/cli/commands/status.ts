/** `twill status`: one screen, what is wrong first and why. */

import type { Command } from "commander";
import type { AgentStatus } from "../../agent/status/status.ts";
import { AgentAwayError, ask } from "../client.ts";
import { type Io, printJson, UsageError } from "../io.ts";
import { controlSocket, type NodeOptions, nodePaths, withJson, withNodeOptions } from "../options.ts";

interface StatusOptions extends NodeOptions {
  readonly wait?: boolean;
  readonly timeout: string;
}

/** Between two looks while waiting. */
const POLL_MS = 200;
const MAX_WAIT_S = 86_400;

async function look(io: Io, options: NodeOptions): Promise<AgentStatus | AgentAwayError> {
  const paths = await nodePaths(io, options);
  try {
    return await ask<AgentStatus>(controlSocket(paths), "/v1/status");
  } catch (error) {
    if (error instanceof AgentAwayError) return error;
    throw error;
  }
}

async function lookUntilReady(io: Io, options: StatusOptions): Promise<AgentStatus | AgentAwayError> {
  const seconds = Number(options.timeout);
  if (!(seconds >= 0 && seconds <= MAX_WAIT_S) || options.timeout.trim() === "")
    throw new UsageError(
      `"${options.timeout}" is not a time-out: seconds from 0 to ${MAX_WAIT_S} are, as --timeout 30`,
    );
  const deadlineMs = io.nowMs() + seconds * 1000;
  for (;;) {
    const status = await look(io, options);
    const isReady = !(status instanceof AgentAwayError) && status.isReady;
    if (options.wait !== true || isReady || io.nowMs() >= deadlineMs) return status;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function showAway(io: Io, options: StatusOptions, away: AgentAwayError): Promise<void> {
  const { readOffline, formatOffline } = await import("../offline-status.ts");
  const offline = readOffline(await nodePaths(io, options));
  io.setExitCode(1);
  if (options.json) printJson(io, { isReady: false, notReady: [away.message], offline });
  else io.out(formatOffline(away.message, offline, io.palette));
}

/** Adds the command. */
export function addStatus(program: Command, io: Io): void {
  withJson(withNodeOptions(program.command("status").description("how this node's network is, on one screen")))
    .option("--wait", "wait until pods can be attached")
    .option("--timeout <seconds>", "how long to wait at most", "120")
    .action(async (options: StatusOptions) => {
      const status = await lookUntilReady(io, options);
      if (status instanceof AgentAwayError) return showAway(io, options, status);
      const { formatStatus } = await import("../status-text.ts");
      if (!status.isReady) io.setExitCode(1);
      if (options.json) printJson(io, status);
      else io.out(formatStatus(status, io.palette, io.nowMs()));
    });
}
