/** Transport protocols as Kubernetes names them, for services and what stands behind them. */

import type { Reader } from "./read.ts";

/** IANA numbers by name. */
const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(PROTOCOLS).map(([name, n]) => [n, name]));

/** As Kubernetes spells it; the number of one that it has no name for. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? `${protocol}`;
}

/** `protocol` of a port: TCP where none is given; an issue and undefined for another word. */
export function readProtocol(port: Reader): number | undefined {
  const name = port.string("protocol") || "TCP";
  const protocol = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (protocol === undefined)
    port.issue("protocol", `"${name.slice(0, 64)}" is not one of ${Object.keys(PROTOCOLS).join(", ")}`);
  return protocol;
}
