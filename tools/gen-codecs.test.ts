/** What is checked in is what the sources give. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import type { BtfType } from "../src/net/btf.ts";
import { emitCodecs } from "./gen-codecs-emit.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const hasClang = ["clang", "clang-14"].some((name) => existsSync(`/usr/bin/${name}`));

it("the codecs are those of the object", () => {
  execFileSync(process.execPath, ["tools/gen-codecs.ts", "--check"], { cwd: root, stdio: "pipe" });
});

it("the objects are those of their sources", { skip: hasClang ? false : "clang is not installed" }, () => {
  execFileSync(process.execPath, ["bpf/build.mjs", "--check"], { cwd: root, stdio: "pipe" });
});

const INT: BtfType = { kind: "int", name: "unsigned int", bytes: 4 };
const maps = (struct: BtfType): BtfType[] => [
  { kind: "void" },
  INT,
  struct,
  { kind: "pointer", type: 2 },
  { kind: "struct", name: "", bytes: 8, members: [{ name: "value", type: 3, offsetBytes: 0 }] },
  { kind: "variable", name: "things", type: 4 },
  { kind: "section", name: ".maps", variables: [5] },
];

it("a structure with a hole is refused, since its bytes would be chance's", () => {
  const members = [{ name: "a", type: 1, offsetBytes: 0 }];
  assert.throws(() => emitCodecs(maps({ kind: "struct", name: "thing", bytes: 8, members })), /hole at its end/);
  const late = [{ name: "a", type: 1, offsetBytes: 4 }];
  assert.throws(() => emitCodecs(maps({ kind: "struct", name: "thing", bytes: 8, members: late })), /hole before "a"/);
});

it("a whole structure becomes an interface and two functions", () => {
  const members = [{ name: "some_number", type: 1, offsetBytes: 0 }];
  const text = emitCodecs(maps({ kind: "struct", name: "thing", bytes: 4, members }));
  assert.match(text, /export interface Thing \{\n {2}readonly someNumber: number;\n\}/);
  assert.match(text, /export function encodeThing\(v: Thing\)/);
});
