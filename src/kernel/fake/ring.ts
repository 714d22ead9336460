/** A pretended ring buffer: bounded in bytes as the kernel's is, and it loses what comes when it is full. */

import { RECORD_HEADER_BYTES, recordBytes, viewOf } from "../../flow/records.ts";
import type { Ring } from "../kernel.ts";

/** See the file's comment. */
export class FakeRing {
  readonly #sizeBytes: number;
  #records: Uint8Array[] = [];
  #pendingBytes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** @returns false: there was no room */
  write(data: Uint8Array): boolean {
    const bytes = recordBytes(data.length);
    // As __bpf_ringbuf_reserve: the last byte is never used, so that full is not taken for empty.
    if (this.#pendingBytes + bytes > this.#sizeBytes - 1) return false;
    this.#records.push(data.slice());
    this.#pendingBytes += bytes;
    this.#wake();
    return true;
  }

  /** A reader. */
  open(): Ring {
    const mine = new Set<() => void>();
    const forget = (call: () => void) => {
      mine.delete(call);
      this.#waiting.delete(call);
    };
    return {
      drain: (maxBytes) => this.#drain(maxBytes),
      pendingBytes: () => this.#pendingBytes,
      whenReadable: (listener) => {
        const call = () => {
          if (!mine.has(call)) return;
          forget(call);
          listener();
        };
        mine.add(call);
        this.#waiting.add(call);
        if (this.#pendingBytes > 0) this.#wake();
        return { [Symbol.dispose]: () => forget(call) };
      },
      [Symbol.dispose]: () => mine.forEach(forget),
    };
  }

  #wake(): void {
    for (const call of this.#waiting) setImmediate(call);
  }

  #drain(maxBytes: number): Uint8Array {
    let count = 0;
    let bytes = 0;
    for (const record of this.#records) {
      const next = bytes + recordBytes(record.length);
      if (next > maxBytes) break;
      bytes = next;
      count++;
    }
    const out = new Uint8Array(bytes);
    let at = 0;
    for (const record of this.#records.splice(0, count)) {
      viewOf(out).setUint32(at, record.length, true);
      out.set(record, at + RECORD_HEADER_BYTES);
      at += recordBytes(record.length);
    }
    this.#pendingBytes -= bytes;
    return out;
  }
}
