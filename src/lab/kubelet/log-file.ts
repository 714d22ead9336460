/** A container's log: lines with time and stream in a file that is rotated once, so that it stays bounded. */

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** One line, without its line feed. */
export interface LogLine {
  readonly timeMs: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Bytes after which the file becomes `….1` and a new one begins: at most twice this is kept. */
const ROTATE_BYTES = 1 << 20;
/** A longer line is cut into pieces of this size. */
const MAX_LINE_CHARS = 16_384;

/** A bounded log on disk that can be followed. */
export class LogFile {
  readonly path: string;
  #fd: number | undefined;
  #bytes = 0;
  #rest = { stdout: "", stderr: "" };
  #listeners = new Set<(line: LogLine | undefined) => void>();
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#fd = openSync(path, "w", 0o600);
  }

  /** Adds output; a last line without line feed waits for its rest. */
  append(stream: "stdout" | "stderr", chunk: string): void {
    const parts = (this.#rest[stream] + chunk).split("\n");
    let rest = parts.pop() ?? "";
    for (const text of parts) this.#write(stream, text);
    while (rest.length > MAX_LINE_CHARS) {
      this.#write(stream, rest.slice(0, MAX_LINE_CHARS));
      rest = rest.slice(MAX_LINE_CHARS);
    }
    this.#rest[stream] = rest;
  }

  #write(stream: "stdout" | "stderr", text: string): void {
    if (this.#fd === undefined) return;
    const line: LogLine = { timeMs: Date.now(), stream, text };
    this.#bytes += writeSync(this.#fd, `${new Date(line.timeMs).toISOString()} ${stream} ${text}\n`);
    if (this.#bytes > ROTATE_BYTES) {
      closeSync(this.#fd);
      renameSync(this.path, `${this.path}.1`);
      this.#fd = openSync(this.path, "w", 0o600);
      this.#bytes = 0;
    }
    for (const listener of this.#listeners) listener(line);
  }

  /** All that is kept, oldest first. */
  lines(): LogLine[] {
    return [`${this.path}.1`, this.path].filter((p) => existsSync(p)).flatMap((p) => parseLog(readFileSync(p, "utf8")));
  }

  /** Calls `listener` for each later line, and with undefined at the end. @returns ends it */
  follow(listener: (line: LogLine | undefined) => void): () => void {
    if (this.#isClosed) listener(undefined);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** No more output comes. The files stay. */
  close(): void {
    if (this.#isClosed) return;
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.#rest[stream] !== "") this.#write(stream, this.#rest[stream]);
    }
    this.#isClosed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    for (const listener of this.#listeners) listener(undefined);
    this.#listeners.clear();
  }

  /** Removes the files. */
  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
    rmSync(`${this.path}.1`, { force: true });
  }
}

/** Reads lines as {@link LogFile} writes them; others are left out. */
export function parseLog(text: string): LogLine[] {
  return text.split("\n").flatMap((row) => {
    const m = /^(\S+) (stdout|stderr) (.*)$/s.exec(row);
    return m ? [{ timeMs: Date.parse(m[1] ?? ""), stream: m[2] as LogLine["stream"], text: m[3] ?? "" }] : [];
  });
}
