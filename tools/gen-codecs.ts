/**
 * Writes src/net/gen/bpf-maps.ts: TypeScript codecs of everything that the eBPF object shares with user space, read from
 * the object's own BTF, so that the two sides cannot drift.
 *
 *   node tools/gen-codecs.ts           write the file
 *   node tools/gen-codecs.ts --check   fail when the file is not what the object gives
 */

import { readFileSync, writeFileSync } from "node:fs";
import { type BtfType, parseBtf } from "../src/net/btf.ts";
import { elfSection } from "../src/net/elf.ts";
import { emitCodecs } from "./gen-codecs-emit.ts";

const OBJECT = new URL("../bpf/gen/twill.o", import.meta.url);
const TARGET = new URL("../src/net/gen/bpf-maps.ts", import.meta.url);

function readTypes(): readonly BtfType[] {
  const section = elfSection(readFileSync(OBJECT), ".BTF");
  if (!section.ok) throw new Error(section.error);
  const types = parseBtf(section.value);
  if (!types.ok) throw new Error(types.error);
  return types.value;
}

function main(isCheck: boolean): void {
  const text = emitCodecs(readTypes());
  if (!isCheck) {
    writeFileSync(TARGET, text);
    return;
  }
  if (readFileSync(TARGET, "utf8") !== text)
    throw new Error(
      'src/net/gen/bpf-maps.ts is not what bpf/gen/twill.o gives: run "node tools/gen-codecs.ts" and commit it',
    );
}

main(process.argv.includes("--check"));
