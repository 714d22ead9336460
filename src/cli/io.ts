/** Where a command reads and writes: given by the starter, and by tests. */

import type { Palette } from "./colour.ts";

/** The process around a command. */
export interface Io {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  readonly palette: Palette;
  /** Words of the command line after the program's name, as given. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Exit code of the process when the command is done; 0 unless set. */
  setExitCode(code: number): void;
  /** Wall clock, milliseconds. */
  nowMs(): number;
}

/** Prints a value as JSON, two spaces deep: what programs read. */
export function printJson(io: Io, value: unknown): void {
  const text = JSON.stringify(value, (_key, v: unknown) => (typeof v === "bigint" ? `${v}` : v), 2);
  io.out(`${text}\n`);
}

/** A wrong use of a command, told without more ado. */
export class UsageError extends Error {
  readonly code = "USAGE";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
