/**
 * The struct types of a program that Go's own linker made, as the program itself describes them for `reflect` (package
 * `internal/abi`, Go 1.18 and newer, 64 bits, little-endian, not relocatable).
 */

/** One type. */
export interface GoType {
  /** `reflect.Kind`. */
  readonly kind: number;
  /** Where it was declared, without a vendor directory; empty for types without a name. */
  readonly pkg: string;
  /** As Go prints it, `v1.Pod`. */
  readonly text: string;
  readonly address: number;
}

/** One field of a struct. */
export interface GoField {
  readonly type: GoType;
  readonly tag: string;
}

/** `reflect.Kind`, as far as it is told apart here. */
export const GO_KIND = {
  bool: 1,
  int32: 5,
  int64: 6,
  uint8: 8,
  float64: 14,
  map: 21,
  pointer: 22,
  slice: 23,
  string: 24,
  struct: 25,
};

const [KIND_MASK, UNCOMMON, HAS_TAG] = [31, 1, 2];
const [TYPE_BYTES, FIELD_BYTES] = [48, 24];
/** Bytes of a type of a kind, behind which its package stands; kinds of other sizes are not asked for theirs. */
const OWN_BYTES: Readonly<Record<number, number>> = {
  [GO_KIND.string]: TYPE_BYTES,
  [GO_KIND.slice]: 56,
  [GO_KIND.struct]: 80,
};

interface Section {
  readonly name: string;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

function sectionsOf(file: Buffer): Section[] {
  const [table, count, names] = [Number(file.readBigUInt64LE(40)), file.readUInt16LE(60), file.readUInt16LE(62)];
  const word = (i: number, at: number) => Number(file.readBigUInt64LE(table + i * 64 + at));
  return Array.from({ length: count }, (_, i) => {
    const at = word(names, 24) + file.readUInt32LE(table + i * 64);
    const name = file.toString("latin1", at, file.indexOf(0, at));
    return { name, address: word(i, 16), offset: word(i, 24), size: word(i, 32) };
  });
}

/** Reads types from a program. */
export class GoTypes {
  readonly #file: Buffer;
  readonly #sections: readonly Section[];
  readonly #base: number;

  constructor(file: Buffer) {
    this.#file = file;
    this.#sections = sectionsOf(file);
    this.#base = this.#section(".rodata").address;
  }

  #section(name: string): Section {
    const found = this.#sections.find((s) => s.name === name);
    if (found === undefined) throw new Error(`The program has no section "${name}": it was not made by Go's linker`);
    return found;
  }

  #at(address: number): number {
    const s = this.#sections.find((x) => x.address > 0 && address >= x.address && address < x.address + x.size);
    if (s === undefined) throw new Error(`The program has nothing at address 0x${address.toString(16)}`);
    return address - s.address + s.offset;
  }

  #pointer(address: number): number {
    return Number(this.#file.readBigUInt64LE(this.#at(address)));
  }

  /** `abi.Name`: flags, then each text behind its length. */
  #name(address: number): { readonly text: string; readonly tag: string } {
    let at = this.#at(address);
    const flags = this.#file.readUInt8(at++);
    const text = (): string => {
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = this.#file.readUInt8(at++);
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      at += length;
      return this.#file.toString("utf8", at - length, at);
    };
    return { text: text(), tag: (flags & HAS_TAG) === 0 ? "" : text() };
  }

  #nameAt(offsetAt: number): string {
    return this.#name(this.#base + this.#file.readInt32LE(this.#at(offsetAt))).text;
  }

  #type(address: number): GoType {
    const at = this.#at(address);
    const kind = this.#file.readUInt8(at + 23) & KIND_MASK;
    const isNamed = (this.#file.readUInt8(at + 20) & UNCOMMON) !== 0;
    const own = OWN_BYTES[kind];
    const pkg = isNamed && own !== undefined ? this.#nameAt(address + own).replace(/^.*\/vendor\//, "") : "";
    return { kind, pkg, text: this.#nameAt(address + 40).replace(/^\*/, ""), address };
  }

  /** What a pointer, a slice or a map leads to. */
  element(of: GoType): GoType {
    return this.#type(this.#pointer(of.address + TYPE_BYTES + (of.kind === GO_KIND.map ? 8 : 0)));
  }

  fields(of: GoType): GoField[] {
    const [list, count] = [this.#pointer(of.address + 56), this.#pointer(of.address + 64)];
    return Array.from({ length: count }, (_, i) => {
      const at = list + i * FIELD_BYTES;
      return { type: this.#type(this.#pointer(at + 8)), tag: this.#name(this.#pointer(at)).tag };
    });
  }

  /** Every struct that something points to, as `PACKAGE.NAME`. */
  structs(): Map<string, GoType> {
    const { offset, size } = this.#section(".typelink");
    const out = new Map<string, GoType>();
    for (let i = 0; i < size; i += 4) {
      const pointer = this.#type(this.#base + this.#file.readInt32LE(offset + i));
      if (pointer.kind !== GO_KIND.pointer) continue;
      const target = this.element(pointer);
      if (target.kind === GO_KIND.struct) out.set(structName(target), target);
    }
    return out;
  }
}

/** `PACKAGE.NAME`. */
export function structName(type: GoType): string {
  return `${type.pkg}.${type.text.slice(type.text.lastIndexOf(".") + 1)}`;
}
