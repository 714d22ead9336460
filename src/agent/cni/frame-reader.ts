/** Collects one frame from the pieces that a socket delivers. */

import { err, ok, type Result } from "../../base/result.ts";
import { FRAME_HEADER_BYTES, readFrameHeader } from "./shim-frame.ts";

/** See the file's comment. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #wanted: number | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes a piece; the body once it is whole, undefined before. What is too long or strange is refused at once. */
  push(piece: Uint8Array): Result<Uint8Array | undefined> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#wanted === undefined) {
      if (this.#bytes < FRAME_HEADER_BYTES) return ok(undefined);
      const length = readFrameHeader(this.#joined(), this.#maxBytes);
      if (!length.ok) return length;
      this.#wanted = FRAME_HEADER_BYTES + length.value;
    }
    if (this.#bytes < this.#wanted) return ok(undefined);
    if (this.#bytes > this.#wanted) return err("More follows than it announced");
    return ok(this.#joined().subarray(FRAME_HEADER_BYTES));
  }

  #joined(): Uint8Array {
    if (this.#pieces.length > 1) this.#pieces.splice(0, this.#pieces.length, Buffer.concat(this.#pieces, this.#bytes));
    return this.#pieces[0] ?? new Uint8Array();
  }
}
