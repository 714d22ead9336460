/** What several kinds of objects say in the same way, as the server checks it. */

import { type Fields, isFields } from "./fields.ts";

/** RFC 1123, as Kubernetes has it ("Object Names and IDs"). */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** At most 253 characters, which is to be asked for besides. */
export const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What is said of a port that is none. */
export const PORT_RANGE = "must be between 1 and 65535, inclusive";

/** Whether it is the number of a port. */
export function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

/** A list of objects: empty for what is no list, without fields for what is no object. */
export function objects(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map((v) => (isFields(v) ? v : {})) : [];
}
