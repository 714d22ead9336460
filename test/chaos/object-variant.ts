/** A program that differs and does the same: what an upgrade brings, without a compiler. */

import assert from "node:assert/strict";
import { elfSection } from "../../src/net/elf.ts";

/** `dst = imm`, 64 bits wide; bits 0-2 class ALU64, see Documentation/bpf/standardization/instruction-set. */
const MOV64_IMM = 0xb7;
/** `dst = (u32)imm`, the upper half zero: the same for every imm that is not negative. */
const MOV32_IMM = 0xb4;
/** Two slots: the second one is no instruction. */
const LOAD_IMM64 = 0x18;

/**
 * A copy of a compiled object in which every `dst = constant` is spelled the other way.
 * @param sections of programs, as `tcx/ingress`
 */
export function variantOf(object: Uint8Array, sections: readonly string[]): Uint8Array {
  const copy = Uint8Array.from(object);
  for (const name of sections) {
    const section = elfSection(copy, name);
    assert.ok(section.ok, `section "${name}" of the object`);
    assert.ok(respell(section.value) > 0, `section "${name}" holds a constant to respell`);
  }
  return copy;
}

function respell(code: Uint8Array): number {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let changed = 0;
  for (let at = 0; at + 8 <= code.length; at += 8) {
    if (code[at] === LOAD_IMM64) at += 8;
    else if (code[at] === MOV64_IMM && view.getInt32(at + 4, true) >= 0) {
      code[at] = MOV32_IMM;
      changed++;
    }
  }
  return changed;
}
