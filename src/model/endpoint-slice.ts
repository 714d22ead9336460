/** What stands behind services: EndpointSlice of `discovery.k8s.io`, v1 and v1beta1. */

import { exact } from "../base/exact.ts";
import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrEqual, parseAddr } from "../net/addr.ts";
import type { Interner } from "./intern.ts";
import { readProtocol } from "./protocol.ts";
import { type Reader, readObject } from "./read.ts";
import { HEADLESS_LABEL, PROXY_NAME_LABEL } from "./unproxied.ts";

/** A port of every endpoint of a slice. */
export interface SlicePort {
  /** Of the service's port that it stands behind; `""`: of the one without a name. */
  readonly name: string;
  /** IANA number. */
  readonly protocol: number;
  /** undefined: every port. */
  readonly port: number | undefined;
}

/** How an endpoint is and where. Many endpoints share one. */
export interface EndpointState {
  /** Takes new connections. */
  readonly isReady: boolean;
  /** Answers, whether it is about to end or not. */
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  /** `""`: not said. */
  readonly nodeName: string;
  /** `""`: not said. */
  readonly zone: string;
  /** Zones and nodes whose clients should ask it (KEP-2433, KEP-3015); empty: no hint. */
  readonly forZones: readonly string[];
  readonly forNodes: readonly string[];
}

/** One of a service's endpoints. */
export interface SliceEndpoint {
  /** The first one, which clients should use (KEP-752). */
  readonly addr: Addr;
  /** More that lead to the same. */
  readonly others: readonly Addr[];
  readonly state: EndpointState;
}

/** Some of a service's endpoints. `namespace/name` is its key. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** `""`: of no service. */
  readonly service: string;
  /** By a label it is none of the usual proxy's: see `unproxied.ts`. */
  readonly isUnproxied: boolean;
  /** Those that are not ready included: connections to them may be open. Empty for names instead of addresses. */
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly SlicePort[];
}

const SERVICE_NAME = "kubernetes.io/service-name";
const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";
const NONE: readonly string[] = [];
const NO_ADDRS: readonly Addr[] = [];

function names(hints: Reader | undefined, key: string): readonly string[] {
  const list = hints?.objects(key).map((h) => h.requiredString("name")) ?? NONE;
  return list.length === 0 ? NONE : list;
}

/** Conditions that are not given mean what the API's reference says of them; `topology` is v1beta1's. */
function readState(endpoint: Reader, interner: Interner): EndpointState {
  const conditions = endpoint.object("conditions");
  const topology = endpoint.object("topology");
  const hints = endpoint.object("hints");
  const isReady = conditions?.boolean("ready") ?? true;
  const state: EndpointState = {
    isReady,
    isServing: conditions?.boolean("serving") ?? isReady,
    isTerminating: conditions?.boolean("terminating") ?? false,
    nodeName: endpoint.string("nodeName") ?? topology?.string(HOSTNAME) ?? "",
    zone: endpoint.string("zone") ?? topology?.string(ZONE) ?? "",
    forZones: names(hints, "forZones"),
    forNodes: names(hints, "forNodes"),
  };
  return interner.share(`endpoint ${JSON.stringify(state)}`, () => Object.freeze(state));
}

/** An address of a pod that is known is its row's: tens of thousands would be there twice. */
function readAddrs(endpoint: Reader, namespace: string, interner: Interner): Addr[] {
  const target = endpoint.object("targetRef");
  const pod = target?.string("kind") === "Pod" ? target.string("name") : undefined;
  const known = pod === undefined ? NO_ADDRS : interner.podAddrs(namespace, pod);
  return endpoint.strings("addresses").flatMap((text, i) => {
    const addr = parseAddr(text);
    if (addr.ok) return [known.find((a) => addrEqual(a, addr.value)) ?? addr.value];
    endpoint.issue(`addresses[${i}]`, addr.error);
    return [];
  });
}

function readEndpoints(root: Reader, namespace: string, interner: Interner): SliceEndpoint[] {
  const endpoints = root.objects("endpoints").flatMap((endpoint): SliceEndpoint[] => {
    const [addr, ...more] = readAddrs(endpoint, namespace, interner);
    const others = more.length === 0 ? NO_ADDRS : more;
    return addr === undefined ? [] : [{ addr, others, state: readState(endpoint, interner) }];
  });
  return exact(endpoints);
}

function readPorts(root: Reader): SlicePort[] {
  return root.objects("ports").flatMap((port) => {
    const protocol = readProtocol(port);
    return protocol === undefined
      ? []
      : [{ name: port.string("name") ?? "", protocol, port: port.integer("port", 1, 65535) }];
  });
}

/** Reads an EndpointSlice of v1 or v1beta1. Refused with all issues when a field that is used has a wrong value. */
export function parseEndpointSlice(value: unknown, interner: Interner): Result<EndpointSlice, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const ports = readPorts(root);
  const namespace = interner.string(metadata.string("namespace") || "default");
  const labels = metadata.object("labels");
  const slice: EndpointSlice = {
    namespace,
    name: metadata.requiredString("name"),
    service: interner.string(labels?.string(SERVICE_NAME) ?? ""),
    isUnproxied: labels?.has(PROXY_NAME_LABEL) === true || labels?.has(HEADLESS_LABEL) === true,
    endpoints: root.string("addressType") === "FQDN" ? [] : readEndpoints(root, namespace, interner),
    ports: interner.share(`slice ports ${JSON.stringify(ports)}`, () => exact(ports)),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(slice));
}
