/** Lines of a watch's answer: pieces of any size in, whole lines out. */

import { StringDecoder } from "node:string_decoder";

/** Longest line: a few times the largest object that etcd stores. */
const MAX_LINE_CHARS = 8 * 1024 * 1024;

/** Splits a stream of bytes at line feeds. */
export interface LineSplitter {
  /** Whole lines that this piece completes, without empty ones. @throws RangeError for a line beyond the limit */
  push(piece: Uint8Array): string[];
}

/** A splitter at the beginning of a stream. */
export function createLineSplitter(maxLineChars = MAX_LINE_CHARS): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let rest: string[] = [];
  let restChars = 0;
  return {
    push(piece) {
      const parts = decoder.write(piece as Buffer).split("\n");
      const lines: string[] = [];
      for (const [i, part] of parts.entries()) {
        rest.push(part);
        restChars += part.length;
        if (restChars > maxLineChars)
          throw new RangeError(`A line of the watch is longer than ${maxLineChars} characters`);
        if (i === parts.length - 1) break;
        const line = rest.join("");
        if (line.trim() !== "") lines.push(line);
        rest = [];
        restChars = 0;
      }
      return lines;
    },
  };
}
