/** All commands. What a command needs is loaded when it runs, so that none pays for the others. */

import { Command } from "commander";
import { VERSION } from "../base/version.ts";
import { addAgent } from "./commands/agent.ts";
import { addBpf } from "./commands/bpf.ts";
import { addCleanup } from "./commands/cleanup.ts";
import { addCompletion } from "./commands/completion.ts";
import { addEndpoint } from "./commands/endpoint.ts";
import { addInstall } from "./commands/install.ts";
import { addIpam } from "./commands/ipam.ts";
import { addLab } from "./commands/lab.ts";
import { addMonitor } from "./commands/monitor.ts";
import { addNode } from "./commands/node.ts";
import { addPolicy } from "./commands/policy.ts";
import { addService } from "./commands/service.ts";
import { addStatus } from "./commands/status.ts";
import { addVersion } from "./commands/version.ts";
import type { Io } from "./io.ts";

/** The program with every command. Errors are thrown, nothing ends the process. */
export function makeProgram(io: Io): Command {
  const program = new Command("twill")
    .description("Pod networking for Kubernetes: TypeScript decides, eBPF forwards")
    .version(VERSION, "-V, --version")
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .showSuggestionAfterError()
    .exitOverride();
  addStatus(program, io);
  addEndpoint(program, io);
  addIpam(program, io);
  addNode(program, io);
  addPolicy(program, io);
  addService(program, io);
  addMonitor(program, io);
  addBpf(program, io);
  addAgent(program, io);
  addLab(program, io);
  addInstall(program, io);
  addCleanup(program, io);
  addVersion(program, io);
  addCompletion(program, io);
  return program;
}
