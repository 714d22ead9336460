/** What stands behind services, as far as policies ask for it: `v1` Service and ServiceAccount, EndpointSlice of `discovery.k8s.io`. */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import type { Interner, Labels } from "./intern.ts";
import { type Reader, readObject } from "./read.ts";

/** An object of which only name and labels matter. `namespace/name` is its key. */
export interface LabelledObject {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
}

/** A service. Its backends are in slices. */
export type Service = LabelledObject;

/** An account that pods run as. */
export type ServiceAccount = LabelledObject;

/** A port of every endpoint of a slice. */
export interface SlicePort {
  /** IANA number. */
  readonly protocol: number;
  /** undefined: every port. */
  readonly port: number | undefined;
}

/** Some of a service's endpoints. `namespace/name` is its key. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** `""`: of no service. */
  readonly service: string;
  /** Of all endpoints, those that are not ready included: connections to them may be open. Empty for names instead of addresses. */
  readonly addrs: readonly Addr[];
  readonly ports: readonly SlicePort[];
}

const SERVICE_NAME = "kubernetes.io/service-name";
const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

function readLabelled(value: unknown, interner: Interner): Result<LabelledObject, readonly Issue[]> {
  const issues: Issue[] = [];
  const metadata = readObject(value, issues).object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const object = {
    namespace: interner.string(metadata.string("namespace") || "default"),
    name: metadata.requiredString("name"),
    labels: metadata.labels("labels", interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(object));
}

/** Reads a `v1` Service. Refused with all issues when a field that is used has a wrong value. */
export function parseService(value: unknown, interner: Interner): Result<Service, readonly Issue[]> {
  return readLabelled(value, interner);
}

/** Reads a `v1` ServiceAccount. Refused with all issues when a field that is used has a wrong value. */
export function parseServiceAccount(value: unknown, interner: Interner): Result<ServiceAccount, readonly Issue[]> {
  return readLabelled(value, interner);
}

function readAddrs(root: Reader): Addr[] {
  return root.objects("endpoints").flatMap((endpoint) =>
    endpoint.strings("addresses").flatMap((text, i) => {
      const addr = parseAddr(text);
      if (addr.ok) return [addr.value];
      endpoint.issue(`addresses[${i}]`, addr.error);
      return [];
    }),
  );
}

function readPorts(root: Reader): SlicePort[] {
  return root.objects("ports").flatMap((port) => {
    const name = port.string("protocol") || "TCP";
    const protocol = PROTOCOLS[name];
    if (protocol === undefined)
      port.issue("protocol", `"${name.slice(0, 64)}" is not one of ${Object.keys(PROTOCOLS).join(", ")}`);
    return protocol === undefined ? [] : [{ protocol, port: port.integer("port", 1, 65535) }];
  });
}

/** Reads an EndpointSlice of v1 or v1beta1. Refused with all issues when a field that is used has a wrong value. */
export function parseEndpointSlice(value: unknown, interner: Interner): Result<EndpointSlice, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const ports = readPorts(root);
  const slice: EndpointSlice = {
    namespace: interner.string(metadata.string("namespace") || "default"),
    name: metadata.requiredString("name"),
    service: interner.string(metadata.object("labels")?.string(SERVICE_NAME) ?? ""),
    addrs: root.string("addressType") === "FQDN" ? [] : readAddrs(root),
    ports: interner.share(`slice ports ${JSON.stringify(ports)}`, () => ports),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(slice));
}
