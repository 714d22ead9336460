/** Rules of Calico's policies, validated: what they match and do, still in Calico's words. */

import type { Family } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Interner, Labels } from "../intern.ts";
import type { Reader } from "../read.ts";
import {
  boundedStrings,
  CALICO_PROTOCOLS,
  type CalicoPort,
  readNets,
  readPorts,
  readProtocol,
  readSelector,
} from "./calico-read.ts";
import type { CalicoSelector } from "./calico-selector.ts";
import { boundedObjects, choice, exactlyOne, onlyFields, quoted } from "./strict.ts";

/** What a rule does. */
export type CalicoAction = "Allow" | "Deny" | "Log" | "Pass";

/** One end of the traffic; all that is present must hold. */
export interface CalicoEntity {
  /** Empty: not asked for. */
  readonly nets: readonly Prefix[];
  readonly notNets: readonly Prefix[];
  readonly selector: CalicoSelector | undefined;
  readonly notSelector: CalicoSelector | undefined;
  readonly namespaceSelector: CalicoSelector | undefined;
  readonly services: { readonly name: string; readonly namespace: string } | undefined;
  readonly ports: readonly CalicoPort[] | undefined;
  readonly notPorts: readonly CalicoPort[] | undefined;
  readonly serviceAccounts:
    | { readonly names: readonly string[]; readonly selector: CalicoSelector | undefined }
    | undefined;
}

/** Type and code of ICMP; both absent: any. */
export interface CalicoIcmp {
  readonly type: number | undefined;
  readonly code: number | undefined;
}

/** One rule of one direction. */
export interface CalicoRule {
  readonly action: CalicoAction;
  readonly ipVersion: Family | undefined;
  /** IANA number. */
  readonly protocol: number | undefined;
  readonly notProtocol: number | undefined;
  readonly icmp: CalicoIcmp | undefined;
  readonly notIcmp: CalicoIcmp | undefined;
  readonly source: CalicoEntity;
  readonly destination: CalicoEntity;
  /** Methods and paths asked for, in words; undefined: layer 7 is not asked for. */
  readonly http: readonly string[] | undefined;
  readonly annotations: Labels;
}

const NOTHING: CalicoEntity = {
  nets: [],
  notNets: [],
  selector: undefined,
  notSelector: undefined,
  namespaceSelector: undefined,
  services: undefined,
  ports: undefined,
  notPorts: undefined,
  serviceAccounts: undefined,
};

function readServices(entity: Reader, namespace: string, isAllowedHere: boolean): CalicoEntity["services"] {
  const reader = entity.object("services");
  if (reader === undefined) return undefined;
  onlyFields(reader, "name", "namespace");
  if (!isAllowedHere)
    entity.issue("services", "Services stand in the source of ingress rules and the destination of egress rules only");
  for (const key of ["selector", "notSelector", "namespaceSelector", "nets", "notNets", "serviceAccounts"])
    if (entity.has(key)) entity.issue(key, `${quoted(entity.value(key))} cannot stand together with services`);
  const where = reader.string("namespace") || namespace;
  if (where === "") reader.issue("namespace", "A value is required in policies of the cluster");
  return { name: reader.requiredString("name"), namespace: where };
}

function readServiceAccounts(entity: Reader): CalicoEntity["serviceAccounts"] {
  const reader = entity.object("serviceAccounts");
  if (reader === undefined) return undefined;
  onlyFields(reader, "names", "selector");
  const names = reader.strings("names");
  const selector = readSelector(reader, "selector");
  return names.length === 0 && selector === undefined ? undefined : { names, selector };
}

function readEntity(rule: Reader, key: "source" | "destination", isPeer: boolean, namespace: string): CalicoEntity {
  const reader = rule.object(key);
  if (reader === undefined) return NOTHING;
  onlyFields(reader, ...Object.keys(NOTHING));
  const services = readServices(reader, namespace, isPeer);
  if (services !== undefined && key === "destination")
    for (const k of ["ports", "notPorts"])
      if (reader.has(k))
        reader.issue(k, `${quoted(reader.value(k))}: the service says which ports, with it none can be given`);
  return {
    nets: readNets(reader, "nets", 256),
    notNets: readNets(reader, "notNets", 256),
    selector: readSelector(reader, "selector"),
    notSelector: readSelector(reader, "notSelector"),
    namespaceSelector: readSelector(reader, "namespaceSelector"),
    services,
    ports: readPorts(reader, "ports", 50),
    notPorts: readPorts(reader, "notPorts", 50),
    serviceAccounts: readServiceAccounts(reader),
  };
}

function readIcmp(rule: Reader, key: string): CalicoIcmp | undefined {
  const reader = rule.object(key);
  if (reader === undefined) return undefined;
  onlyFields(reader, "type", "code");
  const type = reader.integer("type", 0, 254);
  const code = reader.integer("code", 0, 255);
  if (reader.has("code") && !reader.has("type")) reader.issue("code", `${quoted(code)}: a code needs a type`);
  return type === undefined ? undefined : { type, code };
}

function readPath(reader: Reader): string {
  onlyFields(reader, "exact", "prefix");
  const which = exactlyOne(reader, "exact", "prefix");
  return which === undefined ? "" : `path ${which} ${quoted(reader.string(which) ?? "")}`;
}

function readHttp(rule: Reader, action: CalicoAction | undefined): readonly string[] | undefined {
  const reader = rule.object("http");
  if (reader === undefined) return undefined;
  onlyFields(reader, "methods", "paths");
  if (action !== "Allow") rule.issue("http", `http needs action "Allow", not ${quoted(action)}`);
  const methods = boundedStrings(reader, "methods", 20).map((m) => `method ${m.slice(0, 32)}`);
  return [...methods, ...boundedObjects(reader, "paths", 0, 20).map(readPath)];
}

const WITH_PORTS: readonly (number | undefined)[] = [6, 17, 132, 136];

function checkRule(reader: Reader, rule: CalicoRule): void {
  const { protocol, ipVersion } = rule;
  for (const key of ["source", "destination"] as const)
    for (const ports of ["ports", "notPorts"] as const)
      if (rule[key][ports] !== undefined && !WITH_PORTS.includes(protocol))
        reader
          .object(key)
          ?.issue(ports, `Ports need protocol TCP, UDP, SCTP or UDPLite, not ${quoted(protocol ?? null)}`);
  const family = protocol === CALICO_PROTOCOLS.ICMP ? 4 : protocol === CALICO_PROTOCOLS.ICMPv6 ? 6 : undefined;
  for (const key of ["icmp", "notICMP"])
    if (reader.has(key) && family === undefined)
      reader.issue(key, `${quoted(reader.value(key))} needs protocol ICMP or ICMPv6`);
  if (family !== undefined && ipVersion !== undefined && ipVersion !== family)
    reader.issue("ipVersion", `${ipVersion} never has protocol ${quoted(reader.value("protocol"))}`);
  if (rule.http !== undefined && protocol !== undefined && protocol !== CALICO_PROTOCOLS.TCP)
    reader.issue("http", `http needs protocol "TCP", not ${quoted(reader.value("protocol"))}`);
}

const RULE_FIELDS = [
  "action",
  "ipVersion",
  "protocol",
  "notProtocol",
  "icmp",
  "notICMP",
  "source",
  "destination",
  "http",
  "metadata",
] as const;

function readAnnotations(rule: Reader, interner: Interner): Labels {
  const metadata = rule.object("metadata");
  if (metadata !== undefined) onlyFields(metadata, "annotations");
  return (metadata ?? rule).labels("annotations", interner);
}

function readRule(reader: Reader, direction: "ingress" | "egress", namespace: string, interner: Interner): CalicoRule {
  onlyFields(reader, ...RULE_FIELDS);
  if (!reader.has("action")) reader.issue("action", "A value is required: Allow, Deny, Log, Pass");
  const action = choice<CalicoAction>(reader, "action", ["Allow", "Deny", "Log", "Pass"]);
  const version = reader.value("ipVersion");
  if (version !== undefined && version !== 4 && version !== 6)
    reader.issue("ipVersion", `${quoted(version)} is neither 4 nor 6`);
  const rule: CalicoRule = {
    action: action ?? "Deny",
    ipVersion: version === 4 || version === 6 ? version : undefined,
    protocol: readProtocol(reader, "protocol"),
    notProtocol: readProtocol(reader, "notProtocol"),
    icmp: readIcmp(reader, "icmp"),
    notIcmp: readIcmp(reader, "notICMP"),
    source: readEntity(reader, "source", direction === "ingress", namespace),
    destination: readEntity(reader, "destination", direction === "egress", namespace),
    http: readHttp(reader, action),
    annotations: readAnnotations(reader, interner),
  };
  checkRule(reader, rule);
  return rule;
}

/** The rules of one direction. */
export function readCalicoRules(
  spec: Reader,
  direction: "ingress" | "egress",
  namespace: string,
  interner: Interner,
): CalicoRule[] {
  return boundedObjects(spec, direction, 0, 1024).map((r) => readRule(r, direction, namespace, interner));
}
