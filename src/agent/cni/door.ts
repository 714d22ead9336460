/**
 * When a new agent begins to answer the plugin. While an earlier agent of this boot has left what the offline program
 * needs, that one serves better than an agent that is not ready: it attaches pods instead of refusing them. So the
 * socket opens at the first readiness; on a fresh boot it opens at once, and says why it refuses.
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { OFFLINE_ARGV_FILE } from "./offline-files.ts";
import {
  type CniServer,
  type CniServerCounters,
  type CniServerOptions,
  isAnswered,
  listenCni,
  SocketInUseError,
} from "./server.ts";

const CLOSED: CniServerCounters = { connections: 0, waiting: 0, refused: 0, malformed: 0, abandoned: 0 };

/** See the file's comment. */
export class CniDoor implements AsyncDisposable {
  readonly #options: CniServerOptions;
  #opening: Promise<CniServer> | undefined;
  #server: CniServer | undefined;
  #isEnded = false;

  constructor(options: CniServerOptions) {
    this.#options = options;
  }

  /** Opens now if nobody else can serve. @throws SocketInUseError when another agent answers */
  async openUnlessServed(): Promise<void> {
    if (await isAnswered(this.#options.path)) throw new SocketInUseError(this.#options.path);
    if (!existsSync(join(dirname(this.#options.path), OFFLINE_ARGV_FILE))) await this.open();
  }

  /** Opens; later calls change nothing. @throws SocketInUseError */
  async open(): Promise<void> {
    if (this.#isEnded) return;
    this.#opening ??= listenCni(this.#options);
    try {
      this.#server = await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  counters(): CniServerCounters {
    return this.#server?.counters() ?? CLOSED;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    const server = await this.#opening?.catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
  }
}
