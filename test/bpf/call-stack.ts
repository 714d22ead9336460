/** How much stack the functions of an eBPF object use, and the deepest chain of calls from each program. */

import { stringAt } from "../../src/net/elf.ts";

/** A function: its own bytes, and whom it calls. */
export interface Frame {
  readonly bytes: number;
  readonly instructions: number;
  readonly calls: ReadonlySet<string>;
}

/** Section types, and a relocation of a call (linux/elf.h). */
const SYMBOLS = 2;
const RELOCATIONS = 9;
const EXECUTABLE = 4;
/** Kinds of symbols. */
const FUNCTION = 2;
const SECTION = 3;

/** Codes of instructions (linux/bpf.h). */
const CALL = 0x85;
const LOAD_ADDRESS = 0x18;
const MOVE = 0xbf;
const ADD = 0x07;
const PSEUDO_CALL = 1;
const FRAME_POINTER = 10;

interface Section {
  readonly type: number;
  readonly flags: number;
  readonly at: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}

interface ElfSymbol {
  readonly name: string;
  readonly kind: number;
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

function readSections(v: DataView): Section[] {
  const at = Number(v.getBigUint64(0x28, true));
  return Array.from({ length: v.getUint16(0x3c, true) }, (_, i) => {
    const h = at + i * v.getUint16(0x3a, true);
    return {
      type: v.getUint32(h + 4, true),
      flags: Number(v.getBigUint64(h + 8, true)),
      at: Number(v.getBigUint64(h + 24, true)),
      size: Number(v.getBigUint64(h + 32, true)),
      link: v.getUint32(h + 40, true),
      info: v.getUint32(h + 44, true),
    };
  });
}

function readSymbols(v: DataView, sections: readonly Section[]): ElfSymbol[] {
  const table = sections.find((s) => s.type === SYMBOLS);
  const names = sections[table?.link ?? -1];
  if (table === undefined || names === undefined) throw new Error("The object has no symbols");
  const texts = new Uint8Array(v.buffer, v.byteOffset + names.at, names.size);
  return Array.from({ length: table.size / 24 }, (_, i) => {
    const s = table.at + i * 24;
    return {
      name: stringAt(texts, v.getUint32(s, true)),
      kind: v.getUint8(s + 4) & 15,
      section: v.getUint16(s + 6, true),
      value: Number(v.getBigUint64(s + 8, true)),
      size: Number(v.getBigUint64(s + 16, true)),
    };
  });
}

/** Symbols that instructions point at, by section and offset. */
function readRelocations(v: DataView, sections: readonly Section[], symbols: readonly ElfSymbol[]) {
  const found = new Map<string, ElfSymbol>();
  for (const r of sections.filter((s) => s.type === RELOCATIONS))
    for (let at = r.at; at < r.at + r.size; at += 16) {
      const symbol = symbols[v.getUint32(at + 12, true)];
      if (symbol !== undefined) found.set(`${r.info} ${Number(v.getBigUint64(at, true))}`, symbol);
    }
  return found;
}

/** Functions by name. @param object an eBPF object as clang writes it */
export function framesOf(object: Uint8Array): Map<string, Frame> {
  const v = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const sections = readSections(v);
  const symbols = readSymbols(v, sections);
  const relocations = readRelocations(v, sections, symbols);
  const functions = symbols.filter((s) => s.kind === FUNCTION);
  const functionAt = (section: number, offset: number) =>
    functions.find((f) => f.section === section && f.value === offset)?.name;
  const frames = new Map<string, Frame>();
  for (const f of functions) {
    const section = sections[f.section];
    if (section === undefined || (section.flags & EXECUTABLE) === 0) continue;
    const calls = new Set<string>();
    let bytes = 0;
    for (let offset = f.value; offset < f.value + f.size; offset += 8) {
      const at = section.at + offset;
      const code = v.getUint8(at);
      const [to, from] = [v.getUint8(at + 1) & 15, v.getUint8(at + 1) >> 4];
      const immediate = v.getInt32(at + 4, true);
      const symbol = relocations.get(`${f.section} ${offset}`);
      const isCall = code === CALL && from === PSEUDO_CALL;
      if (isCall || (code === LOAD_ADDRESS && symbol !== undefined)) {
        const target = symbol ?? { kind: SECTION, section: f.section, value: offset + 8 };
        // Of a section the instruction says the place: of what is called in instructions, less one.
        const inside = target.kind === SECTION ? (isCall ? (immediate + 1) * 8 : immediate) : 0;
        const name = functionAt(target.section, target.value - (symbol === undefined ? 8 : 0) + inside);
        if (name !== undefined) calls.add(name);
        else if (isCall) throw new Error(`${f.name} calls what is no function`);
      }
      const isAccess = ((code & 7) === 1 && from === FRAME_POINTER) || ((code & 6) === 2 && to === FRAME_POINTER);
      if (isAccess) bytes = Math.max(bytes, -v.getInt16(at + 2, true));
      // The address of a variable: "rN = r10", and at once "rN += -bytes".
      const isAddress = code === MOVE && from === FRAME_POINTER && v.getUint8(at + 8) === ADD;
      if (isAddress && (v.getUint8(at + 9) & 15) === to) bytes = Math.max(bytes, -v.getInt32(at + 12, true));
    }
    frames.set(f.name, { bytes, instructions: f.size / 8, calls });
  }
  return frames;
}

/** The chain of calls from a function that takes the most stack, each frame rounded up to a multiple of `unit`. */
export function deepest(
  frames: ReadonlyMap<string, Frame>,
  name: string,
  unit: number,
): { readonly bytes: number; readonly chain: string } {
  const frame = frames.get(name);
  if (frame === undefined) throw new Error(`The object has no function "${name}"`);
  const own = Math.ceil(Math.max(frame.bytes, 1) / unit) * unit;
  let below = { bytes: 0, chain: "" };
  for (const called of frame.calls) {
    const chain = deepest(frames, called, unit);
    if (chain.bytes > below.bytes) below = { bytes: chain.bytes, chain: ` > ${chain.chain}` };
  }
  return { bytes: own + below.bytes, chain: `${name} ${frame.bytes}${below.chain}` };
}
