/** How a benchmark talks to api-server.ts. */

import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BenchBackend } from "./objects.ts";

/** One line of the server's standard input. */
export type ApiRequest =
  | {
      readonly what: "open";
      readonly node: string;
      readonly nodeAddress: string;
      readonly podCidr: string;
      readonly backends: readonly BenchBackend[];
      /** Names of the node's pods. */
      readonly pods: readonly string[];
    }
  /** Makes services until there are so many. */
  | { readonly what: "load"; readonly count: number }
  /** Changes backends one at a time and waits for the kernel of the namespace that the server runs in. */
  | { readonly what: "change"; readonly count: number };

/** What it answers. */
export interface ApiAnswer {
  /** Of "change": milliseconds from the object's change to the kernel's map. */
  readonly timesMs?: readonly number[];
}

const SCRIPT = fileURLToPath(new URL("api-server.ts", import.meta.url));
const PORT = 6443;

/** The command line of a server that writes a kubeconfig for itself. */
export function apiCommand(kubeconfig: string): string[] {
  return [process.execPath, SCRIPT, String(PORT), kubeconfig];
}

/** A server that was started with {@link apiCommand}, its standard input and output as pipes. */
export class BenchApi {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    if (child.stdout === null) throw new TypeError("Cannot hear the API: its standard output is no pipe");
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Waits until it listens; it ends with the stack. */
  static async open(stack: AsyncDisposableStack, child: ChildProcess): Promise<BenchApi> {
    stack.defer(() => void child.kill("SIGKILL"));
    const api = new BenchApi(child);
    await api.#next();
    return api;
  }

  /** @throws Error when it has ended */
  async ask(request: ApiRequest): Promise<ApiAnswer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    return await this.#next();
  }

  async #next(): Promise<ApiAnswer> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("Cannot go on: the API of the services ended");
    return JSON.parse(line.value) as ApiAnswer;
  }
}
