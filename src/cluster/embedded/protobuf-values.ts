/** JSON of the messages that have another form than that of their fields, as Go's `MarshalJSON` gives it. */

import type { Fields } from "./fields.ts";
import { broken } from "./protobuf-wire.ts";

/** What `metav1.Time` can say in JSON: seconds from year 1, whose first moment stands for no time, to 9999. */
const [FIRST_SECOND, LAST_SECOND] = [-62_135_596_800, 253_402_300_799];

function time(f: Fields, isMicro: boolean): string | undefined {
  if (f["seconds"] === undefined && f["nanos"] === undefined) return undefined;
  const [seconds, nanos]: [number, number] = [f["seconds"] ?? 0, f["nanos"] ?? 0];
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos < 0 || nanos >= 1e9)
    throw broken(`${seconds} seconds and ${nanos} nanoseconds are no time`);
  if (seconds === FIRST_SECOND && !(isMicro && nanos >= 1000)) return undefined;
  const iso = new Date(seconds * 1000).toISOString().slice(0, 19);
  // Of `Time` the fractions do not count: JSON has none.
  return isMicro ? `${iso}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z` : `${iso}Z`;
}

function raw(f: Fields): unknown {
  const text: string = f["raw"] ?? "";
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw broken((error as Error).message);
  }
}

/** By message. A value of undefined is left out, as Go's `null`. */
export const SPECIAL_VALUES: ReadonlyMap<string, (fields: Fields) => unknown> = new Map([
  ["Time", (f: Fields) => time(f, false)],
  ["MicroTime", (f: Fields) => time(f, true)],
  ["IntOrString", (f: Fields) => ((f["type"] ?? 0) === 0 ? (f["intVal"] ?? 0) : (f["strVal"] ?? ""))],
  ["Quantity", (f: Fields) => f["string"] ?? "0"],
  ["Raw", raw],
  ["Strings", (f: Fields) => f["items"]],
  ["SchemaOrList", (f: Fields) => f["list"] ?? f["schema"]],
  ["SchemaOrBool", (f: Fields) => f["schema"] ?? f["allows"] ?? false],
  ["SchemaOrStrings", (f: Fields) => f["list"] ?? f["schema"]],
]);
