/** Asks a running agent over its control socket. */

import type { IncomingMessage } from "node:http";

/** There is no agent, or it does not answer. */
export class AgentAwayError extends Error {
  readonly code: string;

  constructor(socket: string, code: string, options?: ErrorOptions) {
    const why = code === "ENOENT" || code === "ECONNREFUSED" ? "no agent is running here" : code;
    super(`Cannot ask the agent at "${socket}": ${why}`, options);
    this.name = "AgentAwayError";
    this.code = code;
  }
}

/** The agent refused or failed. */
class AgentAnswerError extends Error {
  readonly code = "AGENT_ANSWER";
  readonly status: number;

  constructor(path: string, status: number, body: string) {
    super(`Cannot get "${path}" from the agent: ${status} ${body.trim().slice(0, 400)}`);
    this.name = "AgentAnswerError";
    this.status = status;
  }
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 << 20;

/** Body of the answer. @throws AgentAwayError or AgentAnswerError */
export async function askText(socketPath: string, path: string, method: "GET" | "POST" = "GET"): Promise<string> {
  // Most commands ask nobody, and HTTP is a tenth of their start.
  const { request } = await import("../cluster/node-http.ts");
  return new Promise((resolve, reject) => {
    const away = (cause: NodeJS.ErrnoException) =>
      reject(new AgentAwayError(socketPath, cause.code ?? cause.message, { cause }));
    const req = request({ socketPath, path, method, timeout: TIMEOUT_MS, agent: false }, (res) => {
      let body = "";
      res.setEncoding("utf8");
      res.on("data", (chunk: string) => {
        body += chunk;
        if (body.length > MAX_BYTES) res.destroy(new Error("The answer is too long"));
      });
      res.on("error", away);
      res.on("end", () => {
        const status = res.statusCode ?? 0;
        if (status === 200) resolve(body);
        else reject(new AgentAnswerError(path, status, body));
      });
    });
    req.on("timeout", () =>
      req.destroy(Object.assign(new Error("The agent does not answer in time"), { code: "ETIMEDOUT" })),
    );
    req.on("error", away);
    req.end();
  });
}

/** {@link askText} as JSON. The agent of the same version is trusted to keep to the type. */
export async function ask<T>(socketPath: string, path: string, method: "GET" | "POST" = "GET"): Promise<T> {
  return JSON.parse(await askText(socketPath, path, method)) as T;
}

/**
 * Shows the lines of an answer that goes on, until one is the last that is wanted.
 * @param show false: enough
 * @throws AgentAwayError, also when the agent ends; AgentAnswerError
 */
export async function followLines(socketPath: string, path: string, show: (line: string) => boolean): Promise<void> {
  const { request } = await import("../cluster/node-http.ts");
  const { createInterface } = await import("node:readline");
  const res = await new Promise<IncomingMessage>((resolve, reject) => {
    const req = request({ socketPath, path, agent: false }, resolve);
    req.on("error", (cause: NodeJS.ErrnoException) =>
      reject(new AgentAwayError(socketPath, cause.code ?? cause.message, { cause })),
    );
    req.end();
  });
  try {
    if (res.statusCode !== 200) {
      let body = "";
      for await (const chunk of res.setEncoding("utf8")) body += chunk;
      throw new AgentAnswerError(path, res.statusCode ?? 0, body);
    }
    for await (const line of createInterface({ input: res })) if (!show(line)) return;
  } catch (cause) {
    if (cause instanceof AgentAnswerError) throw cause;
    throw new AgentAwayError(socketPath, "it ended, or closed the connection", { cause });
  } finally {
    res.destroy();
  }
  throw new AgentAwayError(socketPath, "it ended");
}
