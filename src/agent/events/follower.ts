/** Somebody who watches events: gets lines as fast as it reads them, and is told how many it missed. */

import type { Sink } from "../http.ts";

/** Bytes that may wait for a follower; what comes beyond is lost to it. */
export const QUEUE_BYTES = 256 << 10;

/** Told among events: what is missing at this place. */
export interface LostLine {
  /** Events of this question that the follower was too slow for, or of any question that the ring had no room for. */
  readonly lost: number;
  readonly where: "follower" | "ring";
}

/** See the file's comment. */
export class Follower {
  readonly #sink: Sink;
  /** Not told yet. */
  #missed = { follower: 0, ring: 0 };
  #told = 0;
  #isWaiting = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Events that it was too slow for. */
  get lost(): number {
    return this.#told + this.#missed.follower;
  }

  /** @param line made only when there is room for it */
  offer(line: () => string): void {
    if (this.#isBehind()) this.#missed.follower++;
    else this.#sink.write(line());
  }

  /** Tells what the ring had no room for. */
  tellRingLoss(count: number): void {
    this.#missed.ring += count;
    if (!this.#isBehind()) this.#tellMissed();
  }

  /** Once behind, it stays so until it has read all that waits: one gap instead of many. */
  #isBehind(): boolean {
    if (this.#isWaiting) return true;
    if (this.#sink.waitingBytes() <= QUEUE_BYTES) return false;
    this.#isWaiting = true;
    this.#sink.whenEmpty(() => {
      this.#isWaiting = false;
      this.#tellMissed();
    });
    return true;
  }

  #tellMissed(): void {
    const { follower, ring } = this.#missed;
    this.#missed = { follower: 0, ring: 0 };
    this.#told += follower;
    if (follower > 0) this.#write({ lost: follower, where: "follower" });
    if (ring > 0) this.#write({ lost: ring, where: "ring" });
  }

  #write(line: LostLine): void {
    this.#sink.write(`${JSON.stringify(line)}\n`);
  }
}
