/** Colours for people: only on a terminal, never with NO_COLOR (no-color.org), always with FORCE_COLOR. */

/** Wraps text in a style. */
export interface Palette {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

function style(code: number): (text: string) => string {
  return (text) => `\x1b[${code}m${text}\x1b[0m`;
}

const PLAIN: Palette = { good: String, bad: String, warn: String, dim: String, bold: String };
const COLOURED: Palette = { good: style(32), bad: style(31), warn: style(33), dim: style(2), bold: style(1) };

/** The palette that fits where output goes. */
export function paletteFor(isTty: boolean, env: Readonly<Record<string, string | undefined>>): Palette {
  if ((env["NO_COLOR"] ?? "") !== "") return PLAIN;
  if ((env["FORCE_COLOR"] ?? "") !== "") return COLOURED;
  return isTty && env["TERM"] !== "dumb" ? COLOURED : PLAIN;
}

/** Characters that a text takes on a terminal: styles take none. */
export function visibleLength(text: string): number {
  return text.replace(/\x1b\[[0-9;]*m/g, "").length;
}
