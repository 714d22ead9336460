/** Starts the process that runs a lab, and listens to it. */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { DaemonOrder } from "./daemon.ts";
import type { DemoEvent } from "./demo/events.ts";

const DAEMON = fileURLToPath(new URL("./daemon.ts", import.meta.url));

/** A lab that was started. */
export interface Launched {
  /** Resolves when the lab is up (and its demonstration over). @throws Error that says why it is not */
  readonly up: Promise<Extract<DemoEvent, { kind: "up" }>>;
  /** Ends a lab that is not kept or not up yet, and resolves when nothing of it is left; lets go of a kept one. */
  readonly release: () => Promise<void>;
}

/** Starts a lab. `onEvent` hears everything in order. */
export function launch(order: DaemonOrder, onEvent: (event: DemoEvent) => void): Launched {
  const child = fork(DAEMON, [JSON.stringify(order)], {
    // Its own session: Ctrl-C goes to us, and closing the channel tells it.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    cwd: "/",
  });
  let stderr = "";
  let isUp = false;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (stderr.length < 8_192) stderr += text;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const up = new Promise<Extract<DemoEvent, { kind: "up" }>>((resolve, reject) => {
    child.on("message", (message) => {
      const event = message as DemoEvent;
      isUp ||= event.kind === "up";
      onEvent(event);
      if (event.kind === "up") resolve(event);
      if (event.kind === "error") reject(new Error(event.message));
    });
    child.once("error", (cause) => reject(new Error(`Cannot start the lab: ${cause.message}`, { cause })));
    child.once("exit", (code, signal) =>
      reject(
        new Error(
          `The lab's process ended with ${signal ?? `status ${code}`}${stderr === "" ? "" : `:\n${stderr.trim()}`}`,
        ),
      ),
    );
  });
  return { up, release: () => release(child, order.isKept && isUp, ended) };
}

async function release(child: ChildProcess, isKept: boolean, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect();
  child.stderr?.destroy();
  if (isKept) {
    child.unref();
    return;
  }
  await ended;
}
