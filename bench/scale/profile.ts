/**
 * What an agent spends its memory or its time on, for who wants to see: `TWILL_BENCH_PROFILE=heap:DIRECTORY` writes a heap
 * snapshot of it at rest there, and its mappings (proc(5), `smaps`); `cpu:DIRECTORY` a profile of the time of changes.
 *
 * Node's own `--cpu-prof` is no way: its signals interrupt the kernel's verifier, which then begins anew until it gives up.
 */

import { readFileSync, writeFileSync } from "node:fs";
import type { TwillNode } from "../../test/fixture/twill-nodes.ts";

/** What is wanted. */
interface Profile {
  readonly what: "heap" | "cpu";
  /** An absolute path. */
  readonly directory: string;
}

function wantedProfile(): Profile | undefined {
  const [, what, directory = ""] = /^(heap|cpu):(.+)$/.exec(process.env["TWILL_BENCH_PROFILE"] ?? "") ?? [];
  return what === "heap" || what === "cpu" ? { what, directory } : undefined;
}

/** What an agent has to be started with for it. */
export function profileEnvironment(): Record<string, string> {
  const wanted = wantedProfile();
  if (wanted?.what !== "heap") return {};
  return { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${wanted.directory}` };
}

/** The heap at rest. It takes the agent many seconds, during which it does nothing else: `isBack` asks it something. */
export async function profileRest(pid: number, isBack: () => Promise<unknown>): Promise<void> {
  const wanted = wantedProfile();
  if (wanted?.what !== "heap") return;
  writeFileSync(`${wanted.directory}/smaps`, readFileSync(`/proc/${pid}/smaps`));
  process.kill(pid, "SIGUSR2");
  await isBack();
}

/** Talks to the inspector of the process, which its signal has opened on the node's loopback. */
const CLIENT = `
  const [seconds, file] = process.argv.slice(1);
  let list;
  while (list === undefined) list = await fetch("http://127.0.0.1:9229/json").then((r) => r.json(), () => undefined);
  const socket = new WebSocket(list[0].webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const waiting = new Map();
  socket.addEventListener("message", ({ data }) => { const { id, result } = JSON.parse(data); waiting.get(id)?.(result); });
  const call = (method) => new Promise((resolve) => {
    waiting.set(waiting.size + 1, resolve);
    socket.send(JSON.stringify({ id: waiting.size, method }));
  });
  await call("Profiler.enable");
  await call("Profiler.start");
  await new Promise((resolve) => setTimeout(resolve, 1000 * Number(seconds)));
  const { profile } = await call("Profiler.stop");
  (await import("node:fs")).writeFileSync(file, JSON.stringify(profile));
  socket.close();
`;

/** The agent's time for so long. */
export async function profileChanges(node: TwillNode, pid: number, seconds: number): Promise<void> {
  const wanted = wantedProfile();
  if (wanted?.what !== "cpu") return;
  process.kill(pid, "SIGUSR1");
  const file = `${wanted.directory}/changes-${pid}.cpuprofile`;
  await node.run([process.execPath, "--input-type=module", "-e", CLIENT, String(seconds), file]);
}
