/** The last events, as bytes: what nobody asks for is never decoded. */

import { EVENT_BYTES } from "../net/gen/bpf-maps.ts";
import { decodeFlowEvent, type FlowEvent } from "./event.ts";
import { viewOf } from "./records.ts";

/** Remembers so many events; an older one goes for each that comes. */
export class EventHistory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #next = 0;
  #size = 0;

  /** @param capacity events; 80 bytes each */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#bytes = new Uint8Array(capacity * EVENT_BYTES);
    this.#view = viewOf(this.#bytes);
  }

  get size(): number {
    return this.#size;
  }

  /** Takes an event's bytes, copied. */
  push(source: Uint8Array, offset: number): void {
    this.#bytes.set(source.subarray(offset, offset + EVENT_BYTES), this.#next * EVENT_BYTES);
    this.#next = (this.#next + 1) % this.#capacity;
    this.#size = Math.min(this.#size + 1, this.#capacity);
  }

  /** The last events that are wanted, oldest first. @param limit at most so many */
  last(limit: number, isWanted: (e: FlowEvent) => boolean = () => true): FlowEvent[] {
    const found: FlowEvent[] = [];
    for (let back = 1; back <= this.#size && found.length < limit; back++) {
      const at = (this.#next - back + this.#capacity) % this.#capacity;
      const event = decodeFlowEvent(this.#view, at * EVENT_BYTES, EVENT_BYTES);
      if (event !== undefined && isWanted(event)) found.push(event);
    }
    return found.reverse();
  }
}
