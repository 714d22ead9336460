/** How commands talk to the process that runs a lab: HTTP on a Unix socket in the lab's directory. */

import { createServer, request } from "node:http";
import { join } from "node:path";
import { labDirectory } from "./state.ts";

/** What can be asked. */
export interface ControlHandlers {
  readonly status: () => unknown;
  readonly probe: (options: unknown) => Promise<unknown>;
  readonly down: () => Promise<void>;
}

const MAX_BODY_BYTES = 1 << 20;

function socketPath(name: string): string {
  return join(labDirectory(name), "lab.sock");
}

/** Answers commands until closed. */
export function serveControl(name: string, handlers: ControlHandlers): Promise<() => void> {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    let length = 0;
    req.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) req.destroy();
      else chunks.push(chunk);
    });
    req.on("end", () => {
      const answer = (status: number, body: unknown) => {
        res.writeHead(status, { "Content-Type": "application/json" });
        res.end(JSON.stringify(body ?? {}));
      };
      handle(handlers, req.url ?? "", Buffer.concat(chunks).toString()).then(
        (body) => answer(200, body),
        (error: unknown) => answer(500, { error: error instanceof Error ? error.message : String(error) }),
      );
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(socketPath(name), () => resolve(() => server.close()));
  });
}

function handle(handlers: ControlHandlers, url: string, body: string): Promise<unknown> {
  if (url === "/status") return Promise.resolve(handlers.status());
  if (url === "/probe") return handlers.probe(JSON.parse(body));
  if (url === "/down") return handlers.down();
  return Promise.reject(new Error(`Unknown request "${url}"`));
}

/**
 * Asks a running lab.
 * @throws Error when no lab of the name answers, or with what it refused
 */
export function askLab(name: string, what: keyof ControlHandlers, body: unknown = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socketPath(name), path: `/${what}`, method: "POST" }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      res.on("end", () => {
        const answer = JSON.parse(text) as { error?: string };
        if (res.statusCode === 200) resolve(answer);
        else reject(new Error(answer.error ?? `Lab "${name}" answered with status ${res.statusCode}`));
      });
    });
    req.once("error", (cause) =>
      reject(new Error(`No lab "${name}" is up: "twill lab up --name ${name}" would make it`, { cause })),
    );
    req.end(JSON.stringify(body));
  });
}
