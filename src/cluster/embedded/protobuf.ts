/**
 * Reading of `application/vnd.kubernetes.protobuf` bodies. kubectl's own commands (`create namespace`, `create token`,
 * `auth can-i`, `drain`, …) send them and accept no refusal, so the kinds that they send are known here.
 *
 * Strict: a kind or a field that is not in the tables is refused, never dropped.
 */

import { ApiError, badRequest } from "./api-error.ts";
import { type Fields, isFields, setOwn } from "./fields.ts";
import { type FieldType, KINDS, MESSAGES } from "./protobuf-tables.ts";

/** `k8s` and a zero byte begin every body. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const MAX_DEPTH = 40;

interface Entry {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
  readonly wire: number;
  readonly varint: bigint;
  readonly bytes: Buffer;
}

function broken(why: string): ApiError {
  return badRequest(`error decoding the body: ${why}`);
}

function* entries(buffer: Buffer): Generator<Entry> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = buffer[at++];
      if (byte === undefined) throw broken("it ends within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw broken("a number is too long");
  };
  const bytes = (length: number): Buffer => {
    if (at + length > buffer.length) throw broken("it ends within a field");
    at += length;
    return buffer.subarray(at - length, at);
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >>> 3, tag & 7];
    const none = Buffer.alloc(0);
    if (wire === 0) yield { number, wire, varint: varint(), bytes: none };
    else if (wire === 1) yield { number, wire, varint: 0n, bytes: bytes(8) };
    else if (wire === 2) yield { number, wire, varint: 0n, bytes: bytes(Number(varint())) };
    else if (wire === 5) yield { number, wire, varint: 0n, bytes: bytes(4) };
    else throw broken(`wire type ${wire} is not used`);
  }
}

function time(buffer: Buffer, isMicro: boolean): string | undefined {
  let [seconds, nanos] = [undefined as bigint | undefined, 0n];
  for (const e of entries(buffer)) {
    if (e.number === 1) seconds = BigInt.asIntN(64, e.varint);
    else if (e.number === 2) nanos = e.varint;
  }
  if (seconds === undefined) return undefined;
  const iso = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return isMicro ? `${iso}.${String(nanos / 1000n).padStart(6, "0")}Z` : `${iso}Z`;
}

function intOrString(buffer: Buffer): number | string {
  let [kind, int, text] = [0n, 0n, ""];
  for (const e of entries(buffer)) {
    if (e.number === 1) kind = e.varint;
    else if (e.number === 2) int = e.varint;
    else if (e.number === 3) text = e.bytes.toString("utf8");
  }
  return kind === 0n ? Number(BigInt.asIntN(32, int)) : text;
}

function quantity(buffer: Buffer): string {
  for (const e of entries(buffer)) if (e.number === 1) return e.bytes.toString("utf8");
  return "0";
}

function one(type: FieldType["type"], e: Entry, depth: number): unknown {
  switch (type) {
    case "string":
      return e.bytes.toString("utf8");
    case "bytes":
      return e.bytes.toString("base64");
    case "int":
      return Number(BigInt.asIntN(64, e.varint));
    case "bool":
      return e.varint !== 0n;
    case "Time":
    case "MicroTime":
      return time(e.bytes, type === "MicroTime");
    case "IntOrString":
      return intOrString(e.bytes);
    case "Quantity":
      return quantity(e.bytes);
    default:
      return message(type, e.bytes, depth + 1);
  }
}

function mapEntry(type: FieldType["type"], buffer: Buffer, depth: number): readonly [string, unknown] {
  let key = "";
  let value: unknown = type === "string" || type === "bytes" ? "" : undefined;
  for (const e of entries(buffer)) {
    if (e.number === 1) key = e.bytes.toString("utf8");
    else if (e.number === 2) value = one(type, e, depth);
  }
  return [key, value];
}

/** What Go's `omitempty` leaves out. */
function isEmpty(value: unknown): boolean {
  return value === "" || value === 0 || value === false || value === undefined;
}

function message(name: string, buffer: Buffer, depth: number): Fields {
  const table = MESSAGES[name];
  if (table === undefined || depth > MAX_DEPTH) throw broken(`${name} is not known`);
  const out: Record<string, unknown> = {};
  for (const e of entries(buffer)) {
    const field = table.get(e.number);
    if (field === undefined) throw broken(`field ${e.number} of ${name} is not known to this server`);
    if (field.type === "-") continue;
    if (field.shape === "map") {
      const [key, value] = mapEntry(field.type, e.bytes, depth);
      const map = (out[field.name] ?? {}) as Record<string, unknown>;
      setOwn(map, key, value);
      out[field.name] = map;
    } else if (field.shape === "list") {
      out[field.name] = [...((out[field.name] as unknown[] | undefined) ?? []), one(field.type, e, depth)];
    } else {
      const value = one(field.type, e, depth);
      if (field.name === ".") Object.assign(out, value);
      else if (field.isKept || !isEmpty(value)) out[field.name] = value;
    }
  }
  return out;
}

/** The JSON form of a body. @throws ApiError 400 for what cannot be read, 415 for a kind that is not in the tables */
export function decodeProtobuf(body: Buffer): Fields {
  if (!MAGIC.every((b, i) => body[i] === b)) throw broken("it does not begin as a Kubernetes protobuf message");
  let [apiVersion, kind, raw] = ["", "", Buffer.alloc(0) as Buffer];
  for (const e of entries(body.subarray(MAGIC.length))) {
    if (e.number === 2) raw = e.bytes;
    if (e.number !== 1) continue;
    for (const t of entries(e.bytes)) {
      if (t.number === 1) apiVersion = t.bytes.toString("utf8");
      else if (t.number === 2) kind = t.bytes.toString("utf8");
    }
  }
  const name = KINDS[`${apiVersion}/${kind}`];
  if (name === undefined)
    throw new ApiError(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - ${kind} of ${apiVersion} is not read as protobuf here, accepted media types include: application/json, application/yaml`,
    );
  const object = message(name, raw, 0);
  return { apiVersion, kind, ...(isFields(object) ? object : {}) };
}
