/**
 * Writes src/cluster/embedded/gen/protobuf-*.ts: names, numbers and types of the fields of Kubernetes' messages, read from
 * the struct tags in real programs (k8s.io/api, apimachinery and apiextensions-apiserver, Apache-2.0).
 *
 *   node tools/gen-protobuf-tables.ts kubectl@1.32.4=/usr/bin/kubectl kube-apiserver@1.20.2=~/.cache/…/kube-apiserver
 *
 * The first program that has a message gives its fields; later ones add fields that it no longer has.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { PROTOBUF_KINDS } from "../src/cluster/embedded/protobuf-kinds.ts";
import { GO_KIND, type GoType, GoTypes, structName } from "./go-types.ts";

const META = "k8s.io/apimachinery/pkg/apis/meta/v1";
const DEFINITIONS = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1";

/** The messages that bodies begin with: by group, its package and its kinds. */
const ROOTS = [
  { group: "meta", pkg: META, kinds: ["DeleteOptions"] },
  ...PROTOBUF_KINDS.map(({ group, kinds }) => ({
    group,
    pkg: group === "apiextensions" ? DEFINITIONS : `k8s.io/api/${group}/v1`,
    kinds,
  })),
];
/** Which groups stand in which file. */
const FILES: Readonly<Record<string, (group: string) => boolean>> = {
  core: (g) => g === "core",
  apiextensions: (g) => g === "apiextensions",
  groups: (g) => g !== "core" && g !== "apiextensions",
};

/** Structs whose JSON is not that of their fields. */
const SPECIAL: Readonly<Record<string, string>> = {
  [`${META}.Time`]: "Time",
  [`${META}.MicroTime`]: "MicroTime",
  [`${META}.FieldsV1`]: "Raw",
  "k8s.io/apimachinery/pkg/runtime.RawExtension": "Raw",
  "k8s.io/apimachinery/pkg/util/intstr.IntOrString": "IntOrString",
  "k8s.io/apimachinery/pkg/api/resource.Quantity": "Quantity",
  [`${DEFINITIONS}.JSON`]: "Raw",
  [`${DEFINITIONS}.JSONSchemaPropsOrArray`]: "SchemaOrList",
  [`${DEFINITIONS}.JSONSchemaPropsOrBool`]: "SchemaOrBool",
  [`${DEFINITIONS}.JSONSchemaPropsOrStringArray`]: "SchemaOrStrings",
};
const SCALARS: Readonly<Record<number, string>> = {
  [GO_KIND.bool]: "bool",
  [GO_KIND.int32]: "int",
  [GO_KIND.int64]: "int",
  [GO_KIND.float64]: "double",
  [GO_KIND.string]: "string",
};

type Messages = Map<string, Map<number, string>>;

/** `group.Name`. */
function messageName(full: string): string {
  const root = ROOTS.find(({ pkg }) => full.startsWith(`${pkg}.`));
  if (root === undefined) throw new Error(`No group has the package of "${full}"`);
  return `${root.group}.${full.slice(root.pkg.length + 1)}`;
}

class Reader {
  readonly #types: GoTypes;
  readonly #messages: Messages;
  readonly #seen = new Set<string>();

  constructor(types: GoTypes, messages: Messages) {
    this.#types = types;
    this.#messages = messages;
  }

  /** The word for a type, without what makes it a list, a map or a pointer. */
  #word(type: GoType): string {
    const scalar = SCALARS[type.kind];
    if (scalar !== undefined) return scalar;
    if (type.kind === GO_KIND.struct) {
      const full = structName(type);
      if (SPECIAL[full] !== undefined) return SPECIAL[full];
      this.read(type);
      return messageName(full);
    }
    if (type.kind === GO_KIND.slice) {
      const of = this.#types.element(type).kind;
      if (of === GO_KIND.uint8) return "bytes";
      // A named list, `ExtraValue`, is a message with the list as its first field.
      if (of === GO_KIND.string && type.pkg !== "") return "Strings";
    }
    throw new Error(`No word for the type ${type.text}`);
  }

  #field(type: GoType, isKept: boolean): string {
    const element = () => this.#types.element(type);
    if (type.kind === GO_KIND.pointer) {
      const target = element();
      return this.#word(target) + (SCALARS[target.kind] === undefined ? "" : "!");
    }
    if (type.kind === GO_KIND.map) return `{}${this.#word(element())}`;
    const isBytes = type.kind === GO_KIND.slice && element().kind === GO_KIND.uint8;
    if (type.kind === GO_KIND.slice && !isBytes) return `[]${this.#word(element())}`;
    return this.#word(type) + (isKept && SCALARS[type.kind] !== undefined ? "!" : "");
  }

  /** Takes in a struct, and those of its fields. */
  read(type: GoType): void {
    const name = messageName(structName(type));
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    const known = this.#messages.get(name) ?? new Map<number, string>();
    this.#messages.set(name, known);
    for (const field of this.#types.fields(type)) {
      const number = Number(/protobuf:"\w+,(\d+),/.exec(field.tag)?.[1] ?? 0);
      const [json = "", ...options] = (/json:"([^"]*)"/.exec(field.tag)?.[1] ?? "").split(",");
      if (number === 0) continue;
      const shown = options.includes("inline") ? "." : json;
      const text = `${number} ${shown} ${this.#field(field.type, !options.includes("omitempty"))}`;
      const earlier = known.get(number);
      if (earlier === undefined) known.set(number, text);
      else if (earlier.split(" ")[1] !== shown) console.log(`${name}: "${earlier}" was "${text}"`);
    }
  }
}

function reachable(messages: Messages, from: readonly string[]): Set<string> {
  const out = new Set<string>();
  const next = [...from];
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    if (out.has(name)) continue;
    out.add(name);
    for (const text of messages.get(name)?.values() ?? [])
      next.push(...Array.from(text.matchAll(/[a-z]+\.[A-Z]\w*/g), ([found]) => found));
  }
  return out;
}

function emit(file: string, messages: Messages, names: readonly string[], sources: string): string {
  const lines = names.map((name) => {
    const group = name.slice(0, name.indexOf("."));
    const fields = [...(messages.get(name) ?? [])].sort(([a], [b]) => a - b).map(([, text]) => text);
    return `  ${JSON.stringify(name)}: ${JSON.stringify(fields.join(", ").replaceAll(`${group}.`, ""))},`;
  });
  return [
    "// Written by tools/gen-protobuf-tables.ts; do not edit.",
    `// Names and numbers of fields of k8s.io/api, apimachinery and apiextensions-apiserver (Apache-2.0), as in ${sources}.`,
    "",
    "/** Fields by message; ../protobuf-tables.ts says how they are written. */",
    `export const ${file.toUpperCase()}_MESSAGES: Readonly<Record<string, string>> = {`,
    ...lines,
    "};",
    "",
  ].join("\n");
}

function main(programs: readonly string[]): void {
  const messages: Messages = new Map();
  for (const program of programs) {
    const types = new GoTypes(readFileSync(program.slice(program.indexOf("=") + 1)));
    const structs = types.structs();
    const reader = new Reader(types, messages);
    for (const { pkg, kinds } of ROOTS)
      for (const kind of kinds) {
        const found = structs.get(`${pkg}.${kind}`);
        if (found !== undefined) reader.read(found);
      }
  }
  const roots = ROOTS.flatMap(({ group, kinds }) => kinds.map((k) => `${group}.${k}`));
  const missing = roots.filter((name) => !messages.has(name));
  if (missing.length > 0) throw new Error(`None of the programs has ${missing.join(", ")}`);
  const names = [...reachable(messages, roots)].sort();
  const sources = programs.map((p) => p.slice(0, p.indexOf("=")).replace("@", " ")).join(" and ");
  for (const [file, isHere] of Object.entries(FILES)) {
    const own = names.filter((name) => isHere(name.slice(0, name.indexOf("."))));
    const target = new URL(`../src/cluster/embedded/gen/protobuf-${file}.ts`, import.meta.url);
    writeFileSync(target, emit(file, messages, own, sources));
  }
}

main(process.argv.slice(2));
