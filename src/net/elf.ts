/** As much of ELF as reading a section of a compiled eBPF object needs (ELF-64, little-endian, gABI chapter 4). */

import { err, ok, type Result } from "../base/result.ts";

const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const MAGIC = 0x464c457f;
const CLASS_64 = 2;
const DATA_LITTLE_ENDIAN = 1;

interface Section {
  readonly nameOffset: number;
  readonly offset: number;
  readonly size: number;
}

function sectionAt(view: DataView, index: number): Section | undefined {
  // e_shoff at 40 is 64 bits wide; objects of that size do not exist, so the upper half must be zero.
  const at = view.getUint32(40, true) + index * SECTION_HEADER_BYTES;
  if (view.getUint32(44, true) !== 0 || at + SECTION_HEADER_BYTES > view.byteLength) return undefined;
  const section = {
    nameOffset: view.getUint32(at, true),
    offset: view.getUint32(at + 24, true),
    size: view.getUint32(at + 32, true),
  };
  return section.offset + section.size > view.byteLength ? undefined : section;
}

/** The text at an offset of a string table, up to its NUL; empty beyond the table. */
export function stringAt(table: Uint8Array, offset: number): string {
  let text = "";
  for (let i = offset; i < table.length && table[i] !== 0; i++) text += String.fromCharCode(table[i] ?? 0);
  return text;
}

/** The bytes of a section (a view, not a copy); an error for anything that is not such an object or lacks it. */
export function elfSection(object: Uint8Array, name: string): Result<Uint8Array> {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  if (object.length < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) return err("Not an ELF object");
  if (object[4] !== CLASS_64 || object[5] !== DATA_LITTLE_ENDIAN) return err("Not a 64-bit little-endian ELF object");
  const count = view.getUint16(60, true);
  const names = sectionAt(view, view.getUint16(62, true));
  if (names === undefined) return err("The ELF object has no section names");
  const table = object.subarray(names.offset, names.offset + names.size);
  for (let i = 0; i < count; i++) {
    const section = sectionAt(view, i);
    if (section !== undefined && stringAt(table, section.nameOffset) === name)
      return ok(object.subarray(section.offset, section.offset + section.size));
  }
  return err(`The ELF object has no section "${name}"`);
}
