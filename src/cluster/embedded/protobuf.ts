/**
 * Reading of `application/vnd.kubernetes.protobuf` bodies: what client-go sends for built-in kinds where it is told to, and
 * kubectl's own commands, which accept no refusal.
 *
 * Strict: a kind or a field that is not in the tables is refused, never dropped. What comes out is what JSON would have said.
 */

import { ApiError } from "./api-error.ts";
import { type Fields, setOwn } from "./fields.ts";
import { type FieldType, fieldsOfMessage, messageOfKind } from "./protobuf-tables.ts";
import { SPECIAL_VALUES } from "./protobuf-values.ts";
import { broken, packedVarints, WIRE, type WireEntry, wireEntries } from "./protobuf-wire.ts";

/** `k8s` and a zero byte begin every body. */
const MAGIC = Buffer.from("k8s\0", "latin1");
/** Messages within each other: schemas of custom resources are the deepest. */
const MAX_DEPTH = 100;

const WIRE_OF: Readonly<Record<string, number>> = { int: WIRE.varint, bool: WIRE.varint, double: WIRE.eight };
const NO_ZERO = new Set<unknown>(["", 0, false, undefined]);

function integer(value: number | bigint): number {
  return typeof value === "number" ? value : Number(BigInt.asIntN(64, value));
}

function one(type: string, e: WireEntry, depth: number): unknown {
  if (e.wire !== (WIRE_OF[type] ?? WIRE.bytes))
    throw broken(`field ${e.number} has wire type ${e.wire}, not a ${type}'s`);
  switch (type) {
    case "string":
      return e.bytes.toString("utf8");
    case "bytes":
      return e.bytes.toString("base64");
    case "int":
      return integer(e.varint);
    case "bool":
      return Number(e.varint) !== 0;
    case "double":
      return e.bytes.readDoubleLE(0);
    default:
      return message(type, e.bytes, depth + 1);
  }
}

const ABSENT: Readonly<Record<string, unknown>> = { string: "", bytes: "", int: 0, bool: false };

function addToMap(map: Record<string, unknown>, type: string, buffer: Buffer, depth: number): void {
  let key = "";
  let value = ABSENT[type];
  for (const e of wireEntries(buffer)) {
    if (e.number === 1) key = String(one("string", e, depth));
    else if (e.number === 2) value = one(type, e, depth);
    else throw broken(`field ${e.number} of an entry of a map is not known to this server`);
  }
  if (value !== undefined) setOwn(map, key, value);
}

function addToList(list: unknown[], type: string, e: WireEntry, depth: number): void {
  if (type === "int" && e.wire === WIRE.bytes) for (const v of packedVarints(e.bytes)) list.push(integer(v));
  else list.push(one(type, e, depth));
}

function addField(out: Record<string, unknown>, field: FieldType, e: WireEntry, depth: number): void {
  const { name, type, shape } = field;
  if (shape === "map") {
    if (e.wire !== WIRE.bytes) throw broken(`field ${e.number} has wire type ${e.wire}, not a map's`);
    out[name] ??= {};
    addToMap(out[name] as Record<string, unknown>, type, e.bytes, depth);
  } else if (shape === "list") {
    out[name] ??= [];
    addToList(out[name] as unknown[], type, e, depth);
  } else {
    const value = one(type, e, depth);
    const isMessage = !Object.hasOwn(ABSENT, type) && type !== "double";
    if (isMessage && out[name] !== undefined) throw broken(`field "${name}" stands there twice`);
    if (name === ".") Object.assign(out, value);
    else if (field.isKept || (isMessage ? value !== undefined : !NO_ZERO.has(value))) out[name] = value;
    else delete out[name];
  }
}

function shortName(message: string): string {
  return message.slice(message.indexOf(".") + 1);
}

function message(name: string, buffer: Buffer, depth: number): unknown {
  const table = fieldsOfMessage(name);
  if (table === undefined) throw broken(`${name} is not known`);
  if (depth > MAX_DEPTH) throw broken(`more than ${MAX_DEPTH} messages stand within each other`);
  const out: Record<string, unknown> = {};
  for (const e of wireEntries(buffer)) {
    const field = table.get(e.number);
    if (field === undefined) throw broken(`field ${e.number} of ${shortName(name)} is not known to this server`);
    addField(out, field, e, depth);
  }
  const special = SPECIAL_VALUES.get(name);
  return special === undefined ? out : special(out);
}

interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
}

/** `runtime.Unknown`: the kind, and the object's own bytes. */
function envelope(body: Buffer): Envelope {
  const out = { apiVersion: "", kind: "", raw: Buffer.alloc(0) as Buffer };
  for (const e of wireEntries(body)) {
    if (e.wire !== WIRE.bytes || e.number > 4) throw broken(`field ${e.number} of Unknown is not known to this server`);
    if (e.number === 1)
      for (const t of wireEntries(e.bytes)) {
        if (t.number === 1) out.apiVersion = String(one("string", t, 0));
        else if (t.number === 2) out.kind = String(one("string", t, 0));
        else throw broken(`field ${t.number} of TypeMeta is not known to this server`);
      }
    else if (e.number === 2) out.raw = e.bytes;
    else if (e.number === 3 && e.bytes.length > 0) throw broken(`content encoding ${e.bytes} is not read`);
  }
  return out;
}

/** The JSON form of a body. @throws ApiError 400 for what cannot be read, 415 for a kind that is not in the tables */
export function decodeProtobuf(body: Buffer): Fields {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw broken("it does not begin as a Kubernetes protobuf message");
  const { apiVersion, kind, raw } = envelope(body.subarray(MAGIC.length));
  const name = messageOfKind(apiVersion, kind);
  if (name === undefined)
    throw new ApiError(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - ${kind} of ${apiVersion} is not read as protobuf here, accepted media types include: application/json, application/yaml`,
    );
  return { apiVersion, kind, ...(message(name, raw, 0) as Fields) };
}
