/** Runs a command beside a process of the lab, on the caller's own terminal. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { inGroupOf } from "./control-group.ts";
import { exitStatus } from "./run.ts";

/** Joins all namespaces of a process, and its control group. @returns exit status */
export function runInTerminal(pid: number, command: readonly string[]): Promise<number> {
  const enter = ["nsenter", "-t", String(pid), "-m", "-u", "-p", "-n", "-r", "-w", "--", ...command];
  const [file = "", ...args] = inGroupOf(pid, enter);
  const child = spawn(file, args, { stdio: "inherit", cwd: "/", env: environment(pid) });
  // The terminal sends Ctrl-C to the command as well: it decides, we wait.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`Cannot run "${command.join(" ")}": ${cause.message}`, { cause })));
    child.once("exit", (code, signal) => {
      process.removeListener("SIGINT", ignore);
      resolve(exitStatus(code, signal));
    });
  });
}

/** The caller's environment, with the process's own names over it, and Twill's tools on the path. */
function environment(pid: number): NodeJS.ProcessEnv {
  const own: Record<string, string> = {};
  for (const pair of readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")) {
    const at = pair.indexOf("=");
    if (at > 0) own[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { ...process.env, ...own, PATH: `/opt/twill/bin:${process.env["PATH"] ?? ""}` };
}
