/** `networking.k8s.io/v1` NetworkPolicyPort and the names of ports (IANA_SVC_NAME). */

import type { PortProtocol } from "../pod.ts";
import type { Reader } from "../read.ts";
import { choice, onlyFields, quoted } from "./strict.ts";

const PROTOCOLS: readonly PortProtocol[] = ["TCP", "UDP", "SCTP"];

/** Layer 4 protocol by its name; TCP where none is given. */
export function readPortProtocol(reader: Reader, key: string): PortProtocol {
  return choice(reader, key, PROTOCOLS) ?? "TCP";
}

/** Whether the text is a port's name: at most 15 of `a-z0-9-`, at least one letter, no `--`, no `-` at the ends. */
export function isPortName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(text) && /[a-z]/.test(text) && !text.includes("--");
}

/** A name that must be there. */
export function readPortName(reader: Reader, key: string): string {
  const name = reader.requiredString(key);
  if (name !== "" && !isPortName(name))
    reader.issue(
      key,
      `${quoted(name)} is not a port name: at most 15 lower-case letters, digits and "-", with a letter`,
    );
  return name;
}

/** One entry of a NetworkPolicy's `ports`; undefined when it was reported. */
export function readPort(
  reader: Reader,
): { protocol: PortProtocol; port: number | string | undefined; endPort: number | undefined } | undefined {
  onlyFields(reader, "protocol", "port", "endPort");
  const protocol = readPortProtocol(reader, "protocol");
  const port = reader.value("port");
  const endPort = reader.integer("endPort", 1, 65535);
  if (port === undefined) {
    if (reader.has("endPort")) reader.issue("endPort", "A range needs a port to begin with");
    return { protocol, port: undefined, endPort: undefined };
  }
  if (typeof port === "string") {
    const name = readPortName(reader, "port");
    if (reader.has("endPort")) reader.issue("endPort", `A range cannot begin with the named port ${quoted(name)}`);
    return { protocol, port: name, endPort: undefined };
  }
  const first = reader.integer("port", 1, 65535);
  if (first === undefined) return undefined;
  if (endPort !== undefined && endPort < first)
    reader.issue("endPort", `${endPort} is less than port ${first}: the range would be empty`);
  return { protocol, port: first, endPort };
}
