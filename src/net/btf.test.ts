import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type BtfType, parseBtf } from "./btf.ts";
import { elfSection } from "./elf.ts";

const object = new Uint8Array(readFileSync(new URL("../../bpf/gen/twill.o", import.meta.url)));

function section(): Uint8Array {
  const found = elfSection(object, ".BTF");
  assert.ok(found.ok);
  return found.value;
}

function types(): readonly BtfType[] {
  const parsed = parseBtf(section());
  assert.ok(parsed.ok);
  return parsed.value;
}

describe("elfSection", () => {
  it("finds sections by name", () => {
    const license = elfSection(object, "license");
    assert.ok(license.ok);
    assert.equal(Buffer.from(license.value).toString(), "Dual BSD/GPL\0");
  });
  it("names what is missing", () => assert.match(String(Object.values(elfSection(object, ".nothing"))), /\.nothing/));
  it("refuses what is no object", () => assert.equal(elfSection(new Uint8Array(100), ".BTF").ok, false));
  it("never throws on damage", () => {
    const change = fc.tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 255 }));
    const edit = fc.tuple(fc.array(change, { maxLength: 8 }), fc.integer({ min: 0, max: object.length }));
    fc.assert(
      fc.property(edit, ([changes, keep]) => {
        const bytes = object.slice(0, keep);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        elfSection(bytes, ".BTF");
      }),
      { numRuns: 300 },
    );
  });
});

describe("parseBtf", () => {
  it("reads structures with their members", () => {
    const key = types().find((t) => t.kind === "struct" && t.name === "ct_key");
    assert.ok(key?.kind === "struct");
    assert.equal(key.bytes, 40);
    const places = key.members.map((m) => [m.name, m.offsetBytes]);
    assert.deepEqual(places.slice(0, 5), [
      ["low", 0],
      ["high", 16],
      ["low_port", 32],
      ["high_port", 34],
      ["protocol", 36],
    ]);
  });
  it("reads enumerations, functions and sections", () => {
    const all = types();
    assert.ok(all.some((t) => t.kind === "enum" && t.name === "metric" && t.values.length > 40));
    assert.ok(all.some((t) => t.kind === "function" && t.name === "from_pod"));
    assert.ok(all.some((t) => t.kind === "section" && t.name === ".maps" && t.variables.length >= 10));
  });
  it("refuses what is cut off", () => {
    const bytes = section();
    for (const keep of [0, 10, 23, 24, 100, bytes.length - 1]) assert.equal(parseBtf(bytes.slice(0, keep)).ok, false);
  });
  it("never throws on damage", () => {
    const bytes = section();
    const change = fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 10 }), (changes) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        parseBtf(damaged);
      }),
      { numRuns: 300 },
    );
  });
});
