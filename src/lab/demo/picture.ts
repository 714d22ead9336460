/** The demonstration as text: what is there, and the table of its checks. Pure: the same state gives the same lines. */

import { COLUMNS, GROUPS } from "./checks.ts";
import type { CellCount, DemoEvent } from "./events.ts";

/** Styles; each may do nothing. */
export interface Style {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

/** Plain text. */
export const PLAIN: Style = { good: String, bad: String, dim: String, bold: String };

const paint = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
/** For terminals. */
export const COLOURED: Style = { good: paint(32), bad: paint(31), dim: paint(2), bold: paint(1) };

interface Member {
  readonly addresses: readonly string[];
  readonly state: string;
  readonly isReady: boolean;
}

/** Everything that has happened so far. */
export interface Picture {
  readonly steps: { readonly text: string; readonly atMs: number }[];
  readonly nodes: Map<string, Member>;
  readonly pods: Map<string, Member & { readonly node: string }>;
  readonly cells: Map<string, CellCount>;
  readonly failures: string[];
  readonly notes: string[];
}

/** Nothing yet. */
export function emptyPicture(): Picture {
  return { steps: [], nodes: new Map(), pods: new Map(), cells: new Map(), failures: [], notes: [] };
}

/** Takes an event in. */
export function addEvent(p: Picture, e: DemoEvent): void {
  if (e.kind === "step") p.steps.push(e);
  else if (e.kind === "node") p.nodes.set(e.name, e);
  else if (e.kind === "pod") p.pods.set(e.name, e);
  else if (e.kind === "cell") p.cells.set(`${e.group}/${e.family}/${e.column}`, e.count);
  else if (e.kind === "failure") p.failures.push(e.failure.text);
  else if (e.kind === "note") p.notes.push(e.text);
}

/** `1.2 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** A step as a line. */
export function stepLine(step: { readonly text: string; readonly atMs: number }, style: Style): string {
  return `${style.good("✔")} ${step.text} ${style.dim(`· ${seconds(step.atMs)}`)}`;
}

/** Nodes with their pods, joined by the wire. */
export function clusterLines(p: Picture, style: Style): string[] {
  const nodes = [...p.nodes].toSorted(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  if (nodes.length === 0) return [];
  const lines: string[] = [];
  for (const [i, [name, node]] of nodes.entries()) {
    const joint = i === 0 ? "┬" : "├";
    const mark = node.isReady ? style.good("●") : style.dim("○");
    const why = node.isReady || node.state === "waiting" ? "" : style.dim(` ${node.state.slice(0, 70)}`);
    lines.push(
      ` ${style.dim(`${joint}──`)} ${mark} ${style.bold(name)}  ${style.dim(node.addresses.join("  "))}${why}`,
    );
    const pods = [...p.pods].filter(([, pod]) => pod.node === name).toSorted(([a], [b]) => a.localeCompare(b));
    for (const [podName, pod] of pods) {
      const podMark = pod.isReady ? style.good("●") : style.dim("○");
      const shown = pod.addresses.length > 0 ? pod.addresses.join("  ") : pod.state.slice(0, 70);
      lines.push(` ${style.dim("│")}      ${podMark} ${podName}  ${style.dim(shown)}`);
    }
  }
  lines.push(` ${style.dim("└── router ──")} outside`);
  return lines;
}

const TITLE_WIDTH = Math.max(...GROUPS.map((g) => g.title.length));
const CELL_WIDTH = 5;

function cellText(count: CellCount | undefined, style: Style): string {
  if (count === undefined) return style.dim("·".padStart(CELL_WIDTH));
  if (count.failed === 0) return style.good(`✔${String(count.passed).padStart(3)}`.padStart(CELL_WIDTH));
  return style.bad(`✘${String(count.failed).padStart(3)}`.padStart(CELL_WIDTH));
}

const BLOCK_WIDTH = COLUMNS.length * CELL_WIDTH;
/** Title, both families' blocks with their gaps, and the longest remark. */
const FULL_WIDTH = TITLE_WIDTH + 1 + 2 * BLOCK_WIDTH + 4 + Math.max(...GROUPS.map((g) => `sees ${g.sees}`.length));

/**
 * The table: one row for each kind of way, columns by family, protocol and size.
 * @param width of the terminal; where it is too small, the families stand one below the other
 */
export function tableLines(p: Picture, style: Style, width = FULL_WIDTH): string[] {
  const hasRoom = width >= FULL_WIDTH;
  return hasRoom ? block(p, style, [4, 6], true) : [...block(p, style, [4], false), "", ...block(p, style, [6], false)];
}

function block(p: Picture, style: Style, families: readonly (4 | 6)[], hasRemarks: boolean): string[] {
  const join = (text: (family: 4 | 6) => string) => families.map(text).join("  ");
  const head = join((f) => ` IPv${f} `.padStart(6).padEnd(BLOCK_WIDTH, "─"));
  const protocols = join(() => COLUMNS.map((c) => c.protocol.padStart(CELL_WIDTH)).join(""));
  const sizes = join(() => COLUMNS.map((c) => c.size.padStart(CELL_WIDTH)).join(""));
  const left = (text: string) => text.padEnd(TITLE_WIDTH);
  const remark = (g: { readonly sees: string }) => (hasRemarks ? `  ${style.dim(`sees ${g.sees}`)}` : "");
  const rows = GROUPS.map((g) => {
    const cells = join((f) => COLUMNS.map((c) => cellText(p.cells.get(`${g.key}/${f}/${c.key}`), style)).join(""));
    return `${left(g.title)} ${cells}${remark(g)}`;
  });
  return [`${left("")} ${style.dim(head)}`, `${left("")} ${protocols}`, `${left("")} ${style.dim(sizes)}`, ...rows].map(
    (l) => l.trimEnd(),
  );
}

/** Failed checks, a bounded list, and what the nodes say about them. */
export function failureLines(p: Picture, style: Style, most = 20): string[] {
  const lines = p.failures.slice(0, most).map((f) => `${style.bad("✘")} ${f}`);
  if (p.failures.length > most) lines.push(style.dim(`  … and ${p.failures.length - most} more`));
  return [...lines, ...p.notes.map((n) => `  ${n}`)];
}
