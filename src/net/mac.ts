/** Ethernet addresses (EUI-48) as canonical text. */

import type { Brand } from "../base/brand.ts";
import { err, ok, type Result } from "../base/result.ts";

/** `aa:bb:cc:dd:ee:ff`, lower case. */
export type Mac = Brand<string, "Mac">;

/** Parses six hexadecimal bytes with colons or hyphens between them. */
export function parseMac(text: string): Result<Mac> {
  if (!/^([0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2})(\2[0-9a-fA-F]{2}){4}$/.test(text))
    return err(`"${text.slice(0, 64)}" is not a MAC address such as 0a:58:0a:f4:01:02`);
  return ok(text.toLowerCase().replaceAll("-", ":") as Mac);
}

/**
 * The address that a literal spells.
 * @throws SyntaxError when it spells none; for literals and tests, never for outside input
 */
export function mac(text: string): Mac {
  const r = parseMac(text);
  if (!r.ok) throw new SyntaxError(r.error);
  return r.value;
}

/** The 6 bytes, in the order of the wire. */
export function macBytes(m: Mac): Uint8Array {
  return Uint8Array.from(m.split(":"), (b) => Number.parseInt(b, 16));
}

/**
 * The address in 6 bytes.
 * @throws RangeError for any other length
 */
export function macFromBytes(b: Uint8Array): Mac {
  if (b.length !== 6) throw new RangeError(`Cannot make a MAC address from ${b.length} bytes: 6 are wanted`);
  return Array.from(b, (x) => x.toString(16).padStart(2, "0")).join(":") as Mac;
}

/** Whether an interface may carry it: not multicast (bit 0 of the first byte) and not all zero. */
export function isUnicastMac(m: Mac): boolean {
  const b = macBytes(m);
  return ((b[0] ?? 0) & 1) === 0 && b.some((x) => x !== 0);
}
