/**
 * Fields of the Kubernetes messages, by number.
 *
 * A field is `NUMBER name type`. Types: `string int bool double bytes`, the name of a message (without its group when that is
 * the same); `[]T` a list, `{}T` a map with string keys; `!` behind it: a zero value counts. A message named `.` has its
 * fields among those around it, as Go's `inline`.
 */

import { APIEXTENSIONS_MESSAGES } from "./gen/protobuf-apiextensions.ts";
import { CORE_MESSAGES } from "./gen/protobuf-core.ts";
import { GROUPS_MESSAGES } from "./gen/protobuf-groups.ts";
import { PROTOBUF_KINDS } from "./protobuf-kinds.ts";
import { OTHER_VERSIONS } from "./protobuf-versions.ts";

/** One field. */
export interface FieldType {
  readonly name: string;
  readonly type: string;
  readonly shape: "one" | "list" | "map";
  /** JSON has a zero value too: a pointer in Go, or no `omitempty`. */
  readonly isKept: boolean;
}

/** Messages whose JSON is not that of their fields: protobuf-values.ts makes it of these. */
const SPECIAL: Readonly<Record<string, string>> = {
  Time: "1 seconds int!, 2 nanos int!",
  MicroTime: "1 seconds int!, 2 nanos int!",
  IntOrString: "1 type int!, 2 intVal int!, 3 strVal string!",
  Quantity: "1 string string!",
  Raw: "1 raw string!",
  Strings: "1 items []string",
  SchemaOrList: "1 schema apiextensions.JSONSchemaProps, 2 list []apiextensions.JSONSchemaProps",
  SchemaOrBool: "1 allows bool!, 2 schema apiextensions.JSONSchemaProps",
  SchemaOrStrings: "1 schema apiextensions.JSONSchemaProps, 2 list []string",
};

const TEXTS = new Map(Object.entries({ ...CORE_MESSAGES, ...GROUPS_MESSAGES, ...APIEXTENSIONS_MESSAGES, ...SPECIAL }));
for (const [name, more] of Object.entries(OTHER_VERSIONS)) {
  const known = TEXTS.get(name);
  TEXTS.set(name, known === undefined ? more : `${known}, ${more}`);
}

const SCALARS = ["string", "int", "bool", "double", "bytes"];

const KINDS = new Map(
  PROTOBUF_KINDS.flatMap((g) => g.kinds.map((kind) => [`${g.apiVersion}/${kind}`, `${g.group}.${kind}`])),
);

/** The message of a kind; undefined: it is not read as protobuf. */
export function messageOfKind(apiVersion: string, kind: string): string | undefined {
  // client-go has this kind in every group, and sends it in that of what is deleted.
  if (kind === "DeleteOptions") return "meta.DeleteOptions";
  if (kind === "Eviction" && apiVersion === "policy/v1beta1") return "policy.Eviction";
  return KINDS.get(`${apiVersion}/${kind}`);
}

function parseField(group: string, text: string): readonly [number, FieldType] {
  const [number, name = "", written = ""] = text.split(" ");
  const isKept = written.endsWith("!");
  const bare = isKept ? written.slice(0, -1) : written;
  const shape = bare.startsWith("[]") ? "list" : bare.startsWith("{}") ? "map" : "one";
  const type = shape === "one" ? bare : bare.slice(2);
  const isWhole = type.includes(".") || SCALARS.includes(type) || Object.hasOwn(SPECIAL, type);
  return [Number(number), { name, type: isWhole ? type : `${group}.${type}`, shape, isKept }];
}

const parsed = new Map<string, ReadonlyMap<number, FieldType>>();

/** The fields of a message by number; undefined: there is none of this name. */
export function fieldsOfMessage(name: string): ReadonlyMap<number, FieldType> | undefined {
  const known = parsed.get(name);
  const text = TEXTS.get(name);
  if (known !== undefined || text === undefined) return known;
  const group = name.slice(0, Math.max(0, name.indexOf(".")));
  const fields = new Map(text === "" ? [] : text.split(", ").map((f) => parseField(group, f)));
  parsed.set(name, fields);
  return fields;
}
