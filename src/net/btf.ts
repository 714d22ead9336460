/**
 * BPF Type Format as far as map layouts need it (kernel documentation, bpf/btf.rst, section 2).
 *
 *   header: magic u16 eb9f · version u8 · flags u8 · hdr_len u32 · type_off u32 · type_len u32 · str_off u32 · str_len u32
 *   type:   name_off u32 · info u32 (vlen 0-15, kind 24-28) · size or type u32 · then what the kind asks for
 */

import { err, ok, type Result } from "../base/result.ts";
import { stringAt } from "./elf.ts";

/** Member of a struct; only whole bytes occur, bit fields are refused. */
export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly offsetBytes: number;
}

/** One type; its id is its index in the list, id 0 is `void`. */
export type BtfType =
  | { readonly kind: "void" }
  | { readonly kind: "int"; readonly name: string; readonly bytes: number }
  | { readonly kind: "pointer"; readonly type: number }
  | { readonly kind: "array"; readonly type: number; readonly count: number }
  | { readonly kind: "struct"; readonly name: string; readonly bytes: number; readonly members: readonly BtfMember[] }
  | { readonly kind: "enum"; readonly name: string; readonly values: readonly { name: string; value: number }[] }
  | { readonly kind: "alias"; readonly name: string; readonly type: number }
  | { readonly kind: "function"; readonly name: string; readonly type: number }
  | { readonly kind: "prototype"; readonly params: readonly { readonly name: string; readonly type: number }[] }
  | { readonly kind: "variable"; readonly name: string; readonly type: number }
  | { readonly kind: "section"; readonly name: string; readonly variables: readonly number[] }
  | { readonly kind: "other"; readonly name: string };

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
/** Types of one object; ours has about 150. */
const MAX_TYPES = 65_536;

interface Reader {
  readonly view: DataView;
  readonly name: (offset: number) => string;
  readonly end: number;
}

interface Head {
  readonly at: number;
  readonly name: string;
  readonly kind: number;
  readonly vlen: number;
  readonly bitFields: boolean;
  readonly word: number;
}

/** Bytes that follow the 12 of every type, by kind number; undefined: no such kind. */
function tailBytes(kind: number, vlen: number): number | undefined {
  switch (kind) {
    case 1: // INT
    case 14: // VAR
    case 17: // DECL_TAG
      return 4;
    case 3: // ARRAY
      return 12;
    case 4: // STRUCT
    case 5: // UNION
    case 15: // DATASEC
    case 19: // ENUM64
      return 12 * vlen;
    case 6: // ENUM
    case 13: // FUNC_PROTO
      return 8 * vlen;
    case 2: // PTR
    case 7: // FWD
    case 8: // TYPEDEF
    case 9: // VOLATILE
    case 10: // CONST
    case 11: // RESTRICT
    case 12: // FUNC
    case 16: // FLOAT
    case 18: // TYPE_TAG
      return 0;
    default:
      return undefined;
  }
}

function pairs<T>(head: Head, stride: number, make: (at: number) => T): T[] {
  return Array.from({ length: head.vlen }, (_, i) => make(head.at + 12 + i * stride));
}

function decodeType(r: Reader, head: Head): BtfType {
  const u32 = (at: number) => r.view.getUint32(at, true);
  const { name, word } = head;
  switch (head.kind) {
    case 1:
      return { kind: "int", name, bytes: word };
    case 2:
      return { kind: "pointer", type: word };
    case 3:
      return { kind: "array", type: u32(head.at + 12), count: u32(head.at + 20) };
    case 4: {
      const member = (at: number) => ({ name: r.name(u32(at)), type: u32(at + 4), offsetBytes: u32(at + 8) / 8 });
      return { kind: "struct", name, bytes: word, members: pairs(head, 12, member) };
    }
    case 6:
      return { kind: "enum", name, values: pairs(head, 8, (at) => ({ name: r.name(u32(at)), value: u32(at + 4) })) };
    case 8:
    case 9:
    case 10:
    case 11:
      return { kind: "alias", name, type: word };
    case 12:
      return { kind: "function", name, type: word };
    case 13:
      return { kind: "prototype", params: pairs(head, 8, (at) => ({ name: r.name(u32(at)), type: u32(at + 4) })) };
    case 14:
      return { kind: "variable", name, type: word };
    case 15:
      return { kind: "section", name, variables: pairs(head, 12, u32) };
    default:
      return { kind: "other", name };
  }
}

function readHead(r: Reader, at: number): Head {
  const info = r.view.getUint32(at + 4, true);
  return {
    at,
    name: r.name(r.view.getUint32(at, true)),
    kind: (info >>> 24) & 0x1f,
    vlen: info & 0xffff,
    bitFields: info >>> 31 === 1,
    word: r.view.getUint32(at + 8, true),
  };
}

/** The types of a `.BTF` section, by id; an error that names the offset for anything that is not one. */
export function parseBtf(section: Uint8Array): Result<readonly BtfType[]> {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  if (section.length < HEADER_BYTES || view.getUint16(0, true) !== MAGIC) return err("Not a little-endian BTF section");
  const base = view.getUint32(4, true);
  const start = base + view.getUint32(8, true);
  const end = start + view.getUint32(12, true);
  const stringStart = base + view.getUint32(16, true);
  const stringEnd = stringStart + view.getUint32(20, true);
  if (end > section.length || stringEnd > section.length) return err("The BTF header points beyond its section");
  const strings = section.subarray(stringStart, stringEnd);
  const reader: Reader = { view, end, name: (offset) => stringAt(strings, offset) };
  const types: BtfType[] = [{ kind: "void" }];
  for (let at = start; at < end; ) {
    if (at + 12 > end || types.length >= MAX_TYPES) return err(`BTF type ${types.length} at byte ${at} is cut off`);
    const head = readHead(reader, at);
    const tail = tailBytes(head.kind, head.vlen);
    if (tail === undefined) return err(`BTF type ${types.length} has the unknown kind ${head.kind}`);
    if (at + 12 + tail > end) return err(`BTF type ${types.length} at byte ${at} is cut off`);
    if (head.kind === 4 && head.bitFields) return err(`BTF struct "${head.name}" has bit fields`);
    types.push(decodeType(reader, head));
    at += 12 + tail;
  }
  return ok(types);
}
