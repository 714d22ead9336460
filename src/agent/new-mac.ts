/** MAC addresses for pods that ask for none. */

import { randomBytes } from "node:crypto";
import { type Mac, macFromBytes } from "../net/mac.ts";

/** A random unicast address with the "locally administered" bit (IEEE 802-2014 section 8.2.2). */
export function newMac(): Mac {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return macFromBytes(bytes);
}
