/** What pods and the outside ask for: `v1` Service. What stands behind it is in slices: see `endpoint-slice.ts`. */

import { exact } from "../base/exact.ts";
import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, type Family, parseAddr } from "../net/addr.ts";
import { type Prefix, parseInterfaceAddr, prefixOf } from "../net/prefix.ts";
import type { Interner, Labels } from "./intern.ts";
import { readProtocol } from "./protocol.ts";
import { type Reader, readObject } from "./read.ts";
import { type LabelledObject, readLabelled } from "./service-account.ts";

const TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;
/** How a service can be asked for. */
export type ServiceType = (typeof TYPES)[number];

/** A port of a service; where it leads is in the slices, by its name. */
export interface ServicePort {
  /** `""`: it has none. */
  readonly name: string;
  /** IANA number. */
  readonly protocol: number;
  readonly port: number;
  /** undefined: none. */
  readonly nodePort: number | undefined;
}

/** A service. `namespace/name` is its key. */
export interface Service extends LabelledObject {
  readonly type: ServiceType;
  readonly isHeadless: boolean;
  /** Of the service alone; empty for a headless one, and until it has got some. */
  readonly clusterIps: readonly Addr[];
  readonly families: readonly Family[];
  readonly ports: readonly ServicePort[];
  readonly externalIps: readonly Addr[];
  /** Where a load balancer lets clients ask, as far as nodes are to answer there (`ipMode` is not `Proxy`). */
  readonly loadBalancerIps: readonly Addr[];
  /** `spec.loadBalancerIP`: the address that is asked for. */
  readonly requestedIp: Addr | undefined;
  readonly loadBalancerClass: string | undefined;
  /** For how long a client that has gone silent is answered by the same backend; undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
  /** Only backends of the client's node. */
  readonly isInsideLocal: boolean;
  /** From the wire only to backends of the node that was asked, which see the client's address. */
  readonly isOutsideLocal: boolean;
  readonly healthCheckNodePort: number | undefined;
  /** Who may ask at the load balancer's addresses; empty: everybody. */
  readonly sourceRanges: readonly Prefix[];
  /** `spec.trafficDistribution`, whatever it says; undefined: nothing. */
  readonly trafficDistribution: string | undefined;
  readonly annotations: Labels;
  /** `creationTimestamp`: in UTC and of one form, so that an earlier one sorts first; `""`: not said. */
  readonly created: string;
}

const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const KUBECTL = "kubectl.kubernetes.io/";
/** The API's default. */
const AFFINITY_SECONDS = 10_800;

function oneOf<T extends string>(r: Reader, key: string, words: readonly T[], otherwise: T): T {
  const text = r.string(key) || otherwise;
  const word = words.find((w) => w === text);
  if (word === undefined) r.issue(key, `"${text.slice(0, 64)}" is not one of ${words.join(", ")}`);
  return word ?? otherwise;
}

function readAddrs(r: Reader, key: string): Addr[] {
  const addrs = r.strings(key).flatMap((text, i) => {
    if (text === "" || text === "None") return [];
    const addr = parseAddr(text);
    if (addr.ok) return [addr.value];
    r.issue(`${key}[${i}]`, addr.error);
    return [];
  });
  return exact(addrs);
}

function readAddr(r: Reader, key: string): Addr | undefined {
  const text = r.string(key) ?? "";
  if (text === "" || text === "None") return undefined;
  const addr = parseAddr(text);
  if (!addr.ok) r.issue(key, addr.error);
  return addr.ok ? addr.value : undefined;
}

function readClusterIps(spec: Reader): readonly Addr[] {
  if (spec.has("clusterIPs")) return readAddrs(spec, "clusterIPs");
  const one = readAddr(spec, "clusterIP");
  return one === undefined ? [] : [one];
}

/** Before 1.20 there is one family, which the address says. */
function readFamilies(spec: Reader, clusterIps: readonly Addr[]): readonly Family[] {
  const named = spec.strings("ipFamilies").flatMap((text, i): Family[] => {
    if (text === "IPv4") return [4];
    if (text === "IPv6") return [6];
    spec.issue(`ipFamilies[${i}]`, `"${text.slice(0, 64)}" is neither IPv4 nor IPv6`);
    return [];
  });
  return named.length > 0 ? named : [...new Set(clusterIps.map((a) => a.family))];
}

function readPorts(spec: Reader): ServicePort[] {
  const ports = spec.objects("ports").flatMap((r) => {
    const protocol = readProtocol(r);
    const port = r.integer("port", 1, 65535);
    const nodePort = r.integer("nodePort", 0, 65535) || undefined;
    const name = r.string("name") ?? "";
    if (!r.has("port")) r.issue("port", "A value is required");
    return protocol === undefined || port === undefined ? [] : [{ name, protocol, port, nodePort }];
  });
  return exact(ports);
}

function readAffinity(spec: Reader): number | undefined {
  if (oneOf(spec, "sessionAffinity", ["None", "ClientIP"], "None") === "None") return undefined;
  const config = spec.object("sessionAffinityConfig")?.object("clientIP");
  return config?.integer("timeoutSeconds", 1, 86_400) ?? AFFINITY_SECONDS;
}

/** Ranges may have host bits, as the API lets them. The annotation counts where the field says nothing. */
function readSourceRanges(spec: Reader, metadata: Reader, annotations: Labels): Prefix[] {
  const field = spec.strings("loadBalancerSourceRanges");
  const annotation = field.length > 0 ? undefined : annotations.get(SOURCE_RANGES)?.trim();
  const texts = annotation === undefined || annotation === "" ? field : annotation.split(",");
  return texts.flatMap((text, i) => {
    const range = parseInterfaceAddr(text.trim());
    if (range.ok) return [prefixOf(range.value.addr, range.value.length)];
    if (annotation === undefined) spec.issue(`loadBalancerSourceRanges[${i}]`, range.error);
    else metadata.issue(`annotations["${SOURCE_RANGES}"]`, range.error);
    return [];
  });
}

function readLoadBalancerIps(root: Reader): Addr[] {
  const ingress = root.object("status")?.object("loadBalancer")?.objects("ingress") ?? [];
  return ingress.flatMap((r) => {
    const addr = readAddr(r, "ip");
    return addr === undefined || r.string("ipMode") === "Proxy" ? [] : [addr];
  });
}

/** Without what kubectl keeps there for itself: as long as the object. */
function readAnnotations(metadata: Reader, interner: Interner): Labels {
  const all = metadata.object("annotations");
  const keys = all?.keys().filter((key) => !key.startsWith(KUBECTL)) ?? [];
  return interner.labels(keys.map((key) => [interner.string(key), interner.string(all?.string(key) ?? "")] as const));
}

function isLocal(spec: Reader, key: string): boolean {
  return oneOf(spec, key, ["Cluster", "Local"], "Cluster") === "Local";
}

/** Reads a `v1` Service. Refused with all issues when a field that is used has a wrong value. */
export function parseService(value: unknown, interner: Interner): Result<Service, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const spec = root.object("spec") ?? readObject({}, issues, "spec");
  const annotations = readAnnotations(metadata, interner);
  const clusterIps = readClusterIps(spec);
  const type = oneOf(spec, "type", TYPES, "ClusterIP");
  const service: Service = {
    ...readLabelled(metadata, interner),
    type,
    isHeadless: spec.string("clusterIP") === "None" || spec.strings("clusterIPs").includes("None"),
    clusterIps,
    families: interner.share(`families ${spec.strings("ipFamilies")} ${clusterIps.map((a) => a.family)}`, () =>
      readFamilies(spec, clusterIps),
    ),
    ports: readPorts(spec),
    externalIps: readAddrs(spec, "externalIPs"),
    loadBalancerIps: type === "LoadBalancer" ? readLoadBalancerIps(root) : [],
    requestedIp: readAddr(spec, "loadBalancerIP"),
    loadBalancerClass: spec.string("loadBalancerClass") || undefined,
    affinitySeconds: readAffinity(spec),
    isInsideLocal: isLocal(spec, "internalTrafficPolicy"),
    isOutsideLocal: isLocal(spec, "externalTrafficPolicy"),
    healthCheckNodePort: spec.integer("healthCheckNodePort", 0, 65535) || undefined,
    sourceRanges: readSourceRanges(spec, metadata, annotations),
    trafficDistribution: spec.string("trafficDistribution") || undefined,
    annotations,
    created: metadata.string("creationTimestamp") ?? "",
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(service));
}
