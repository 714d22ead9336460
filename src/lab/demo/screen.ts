/** Shows a demonstration: repainted in place on a terminal, as plain lines when they are final elsewhere. */

import type { WriteStream } from "node:tty";
import type { DemoEvent } from "./events.ts";
import {
  addEvent,
  COLOURED,
  clusterLines,
  emptyPicture,
  failureLines,
  PLAIN,
  stepLine,
  tableLines,
} from "./picture.ts";

/** Something that shows events. */
export interface Screen {
  show(event: DemoEvent): void;
  /** Leaves the last picture standing. */
  close(): void;
}

const FRAME_MS = 50;

function withoutStyle(line: string): number {
  return line.replace(/\x1b\[[0-9;]*m/g, "").length;
}

/** A screen that repaints on a terminal. */
function liveScreen(out: WriteStream): Screen {
  const picture = emptyPicture();
  const style = process.env["NO_COLOR"] ? PLAIN : COLOURED;
  let painted = 0;
  let timer: NodeJS.Timeout | undefined;
  const lines = () => [
    ...picture.steps.map((s) => stepLine(s, style)),
    "",
    ...clusterLines(picture, style),
    ...(picture.cells.size > 0 ? ["", ...tableLines(picture, style, out.columns)] : []),
    ...(picture.failures.length > 0 ? ["", ...failureLines(picture, style)] : []),
  ];
  const paint = () => {
    timer = undefined;
    const all = lines();
    // What does not fit cannot be repainted: the newest part is shown, and everything at the end.
    const visible = all
      .slice(-Math.max(1, out.rows - 1))
      .map((l) => (withoutStyle(l) < out.columns ? l : clip(l, out.columns - 1)));
    out.write(`${painted > 0 ? `\x1b[${painted}A` : ""}\x1b[0J${visible.join("\n")}\n`);
    painted = visible.length;
  };
  return {
    show(event) {
      addEvent(picture, event);
      timer ??= setTimeout(paint, FRAME_MS);
    },
    close() {
      clearTimeout(timer);
      out.write(`${painted > 0 ? `\x1b[${painted}A` : ""}\x1b[0J${lines().join("\n")}\n`);
    },
  };
}

/** Cuts a styled line to a number of visible characters. */
function clip(line: string, width: number): string {
  let visible = 0;
  let out = "";
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith("\x1b[")) out += part;
    else {
      out += part.slice(0, Math.max(0, width - visible));
      visible += part.length;
    }
  }
  return out;
}

/** A screen for pipes and files. */
function plainScreen(write: (text: string) => void): Screen {
  const picture = emptyPicture();
  return {
    show(event) {
      addEvent(picture, event);
      if (event.kind === "step") write(`${stepLine(event, PLAIN)}\n`);
      if (event.kind === "failure" && picture.failures.length === 1) write("Some checks fail:\n");
    },
    close() {
      const parts = [
        clusterLines(picture, PLAIN),
        picture.cells.size > 0 ? tableLines(picture, PLAIN) : [],
        failureLines(picture, PLAIN),
      ];
      for (const lines of parts) if (lines.length > 0) write(`\n${lines.join("\n")}\n`);
    },
  };
}

/** The screen that fits where the output goes. */
export function openScreen(out: NodeJS.WriteStream): Screen {
  if (out.isTTY && process.env["TERM"] !== "dumb") return liveScreen(out as WriteStream);
  return plainScreen((text) => out.write(text));
}
