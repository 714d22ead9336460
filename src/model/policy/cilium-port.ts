/** Ports and ICMP of Cilium's rules. */

import type { Family } from "../../net/addr.ts";
import type { Reader } from "../read.ts";
import { isPortName } from "./port.ts";
import { boundedObjects, choice, onlyFields, quoted } from "./strict.ts";

/** IANA numbers by Cilium's names; `ANY` is every protocol that has ports. */
const PROTOCOLS = { ANY: undefined, TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPV6: 58, VRRP: 112, IGMP: 2 } as const;

/** One port of a rule. */
export interface CiliumPort {
  /** undefined: TCP, UDP and SCTP. */
  readonly protocol: number | undefined;
  /** Both ends inclusive, or a name; undefined: every port. */
  readonly port: { readonly first: number; readonly last: number } | { readonly name: string } | undefined;
}

/** Alternatives that belong together, and what is asked for beyond layer 4, in words. */
export interface CiliumPortRule {
  readonly ports: readonly CiliumPort[];
  readonly beyond: readonly string[];
}

/** One type of one family's ICMP. */
export interface CiliumIcmp {
  readonly family: Family;
  readonly type: number;
}

const ICMP4: Readonly<Record<string, number>> = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  Redirect: 5,
  Echo: 8,
  EchoRequest: 8,
  RouterAdvertisement: 9,
  RouterSelection: 10,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
  Photuris: 40,
  ExtendedEchoRequest: 42,
  ExtendedEchoReply: 43,
};
const ICMP6: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  MulticastListenerQuery: 130,
  MulticastListenerReport: 131,
  MulticastListenerDone: 132,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighborSolicitation: 135,
  NeighborAdvertisement: 136,
  RedirectMessage: 137,
  RouterRenumbering: 138,
  ICMPNodeInformationQuery: 139,
  ICMPNodeInformationResponse: 140,
  InverseNeighborDiscoverySolicitation: 141,
  InverseNeighborDiscoveryAdvertisement: 142,
  HomeAgentAddressDiscoveryRequest: 144,
  HomeAgentAddressDiscoveryReply: 145,
  MobilePrefixSolicitation: 146,
  MobilePrefixAdvertisement: 147,
  DuplicateAddressRequestCodeSuffix: 157,
  DuplicateAddressConfirmationCodeSuffix: 158,
  ExtendedEchoRequest: 160,
  ExtendedEchoReply: 161,
};

function readProtocol(reader: Reader): number | undefined {
  const text = reader.string("protocol")?.toUpperCase() || "ANY";
  for (const [name, number] of Object.entries(PROTOCOLS)) if (name === text) return number;
  reader.issue("protocol", `${quoted(reader.value("protocol"))} is not one of ${Object.keys(PROTOCOLS).join(", ")}`);
  return undefined;
}

function readPort(reader: Reader): CiliumPort {
  onlyFields(reader, "port", "endPort", "protocol");
  const protocol = readProtocol(reader);
  const text = reader.string("port") ?? "";
  const endPort = reader.integer("endPort", 0, 65535) || undefined;
  const hasPorts = protocol === undefined || protocol === 6 || protocol === 17 || protocol === 132;
  if (!hasPorts && text !== "" && text !== "0")
    reader.issue("port", `${quoted(text)}: ${String(reader.value("protocol"))} has no ports`);
  if (text === "" || /^0+$/.test(text)) {
    if (endPort !== undefined) reader.issue("endPort", `${endPort}: a range needs a port to begin with`);
    if (text === "" && hasPorts) reader.issue("port", "A value is required: a number, a name or 0 for all");
    return { protocol, port: undefined };
  }
  if (/^[0-9]+$/.test(text)) {
    const first = Number(text);
    if (first > 65535) reader.issue("port", `${quoted(text)} is not a port from 0 to 65535`);
    if (endPort !== undefined && endPort < first) reader.issue("endPort", `${endPort} is less than port ${first}`);
    return { protocol, port: { first, last: endPort ?? first } };
  }
  const name = text.toLowerCase();
  if (!isPortName(name)) reader.issue("port", `${quoted(text)} is neither a port nor a port's name`);
  if (endPort !== undefined)
    reader.issue("endPort", `${endPort}: a range cannot begin with the named port ${quoted(text)}`);
  return { protocol, port: { name } };
}

function readTls(reader: Reader, key: string): string[] {
  const tls = reader.object(key);
  if (tls === undefined) return [];
  onlyFields(tls, "secret", "trustedCA", "certificate", "privateKey");
  return [key];
}

function readListener(reader: Reader): string[] {
  const listener = reader.object("listener");
  if (listener === undefined) return [];
  onlyFields(listener, "envoyConfig", "name", "priority");
  const config = listener.object("envoyConfig");
  if (config !== undefined) onlyFields(config, "kind", "name");
  listener.integer("priority", 0, 100);
  return [`listener ${listener.requiredString("name")}`];
}

function readL7(reader: Reader): string[] {
  const rules = reader.object("rules");
  if (rules === undefined) return [];
  onlyFields(rules, "http", "dns", "kafka", "l7proto", "l7");
  for (const http of rules.objects("http")) onlyFields(http, "path", "method", "host", "headers", "headerMatches");
  for (const dns of rules.objects("dns")) onlyFields(dns, "matchName", "matchPattern");
  return rules.keys().map((key) => `rules.${key}`);
}

/** One entry of `toPorts`; those of deny rules have nothing beyond layer 4. */
export function readPortRule(reader: Reader, isDeny: boolean): CiliumPortRule {
  const beyond = ["terminatingTLS", "originatingTLS", "serverNames", "listener", "rules"];
  onlyFields(reader, "ports", ...(isDeny ? [] : beyond));
  const ports = boundedObjects(reader, "ports", 0, 40).map(readPort);
  if (isDeny) return { ports, beyond: [] };
  const names = reader.strings("serverNames");
  return {
    ports,
    beyond: [
      ...readTls(reader, "terminatingTLS"),
      ...readTls(reader, "originatingTLS"),
      ...(names.length === 0 ? [] : [`serverNames ${names.join(", ")}`]),
      ...readListener(reader),
      ...readL7(reader),
    ],
  };
}

function readIcmpField(reader: Reader): CiliumIcmp | undefined {
  onlyFields(reader, "family", "type");
  const family = (choice(reader, "family", ["IPv4", "IPv6"]) ?? "IPv4") === "IPv4" ? 4 : 6;
  const value = reader.value("type");
  if (value === undefined) reader.issue("type", "A value is required: a number or a name");
  if (typeof value === "number") {
    const type = reader.integer("type", 0, 255);
    return type === undefined ? undefined : { family, type };
  }
  const known = family === 4 ? ICMP4 : ICMP6;
  const number = typeof value === "string" && /^[0-9]{1,3}$/.test(value) ? Number(value) : undefined;
  const type = number ?? (typeof value === "string" && Object.hasOwn(known, value) ? known[value] : undefined);
  if (type !== undefined && type <= 255) return { family, type };
  if (value !== undefined) reader.issue("type", `${quoted(value)} is not a type of ICMP for IPv${family}`);
  return undefined;
}

/** `icmps` as one list of alternatives; undefined when absent. */
export function readIcmps(reader: Reader): readonly CiliumIcmp[] | undefined {
  const list = reader.objects("icmps");
  if (list.length === 0) return undefined;
  return list
    .flatMap((icmp) => {
      onlyFields(icmp, "fields");
      return boundedObjects(icmp, "fields", 0, 40).map(readIcmpField);
    })
    .filter((f) => f !== undefined);
}
