/** Cluster addresses and node ports of Services, handed out from fixed ranges and given back with the Service. */

import type { Family } from "../../net/addr.ts";
import { nthAddr, type Prefix, prefix, prefixSize } from "../../net/prefix.ts";
import { ApiError, invalidValue, type StatusCause } from "./api-error.ts";
import type { Fields } from "./fields.ts";
import { familyOf, hasClusterIp, hasHealthCheck, hasNodePorts, portsOf } from "./service-change.ts";
import type { Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

const RANGES: Readonly<Record<Family, Prefix>> = { 4: prefix("10.96.0.0/16"), 6: prefix("fd00:10:96::/112") };
const FIRST_PORT = 30_000;
const LAST_PORT = 32_767;

/** Completes the specification of a new or changed Service. */
export interface ServiceAllocator {
  /** Addresses and ports that it asks for and cannot have. */
  check(object: KubeObject, old: KubeObject | undefined): StatusCause[];
  allocate(object: KubeObject, old: KubeObject | undefined): KubeObject;
}

/** Whether it leads to what somebody writes by hand: as a name alone it has every family. */
function isNameOnly(spec: Fields): boolean {
  return spec["clusterIP"] === "None" && Object.keys(spec["selector"] ?? {}).length === 0;
}

function familiesOf(spec: Fields): readonly Family[] {
  const given: readonly string[] = spec["ipFamilies"] ?? [];
  const named = given.map((f): Family => (f === "IPv6" ? 6 : 4));
  const isBoth = named.length > 1 || spec["clusterIPs"]?.length > 1 || isNameOnly(spec);
  const policy = spec["ipFamilyPolicy"] ?? (isBoth ? "RequireDualStack" : "SingleStack");
  const first = named[0] ?? familyOf(String(spec["clusterIP"] ?? ""));
  return policy === "SingleStack" ? [first] : [first, first === 4 ? 6 : 4];
}

/** Numbers of the nodes that a specification has: of its ports, and where its health is asked. */
function nodePortsOf(spec: Fields): readonly number[] {
  return [...portsOf(spec).map((p) => p["nodePort"]), spec["healthCheckNodePort"]].filter((p) => p);
}

/** What Services have. */
interface Taken {
  readonly addresses: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
}

/** What was chosen, and is somebody else's or none that can be chosen. */
function refusals(taken: Taken, spec: Fields, old: Fields): StatusCause[] {
  const had = new Set<unknown>([...(old["clusterIPs"] ?? []), ...nodePortsOf(old)]);
  const ips: readonly string[] = hasClusterIp(spec) ? (spec["clusterIPs"] ?? []) : [];
  const out = ips
    .filter((a) => taken.addresses.has(a) && !had.has(a))
    .map((a) => invalidValue("spec.clusterIPs", ips, `failed to allocate IP ${a}: provided IP is already allocated`));
  const own: readonly Fields[] = spec["ports"] ?? [];
  const chosen = own.map((p, i) => [`spec.ports[${i}].nodePort`, p["nodePort"]] as const);
  for (const [field, p] of [...chosen, ["spec.healthCheckNodePort", spec["healthCheckNodePort"]] as const]) {
    if (!p || had.has(p)) continue;
    if (taken.ports.has(p)) out.push(invalidValue(field, p, "provided port is already allocated"));
    else if (p < FIRST_PORT || p > LAST_PORT)
      out.push(
        invalidValue(
          field,
          p,
          `provided port is not in the valid range. The range of valid ports is ${FIRST_PORT}-${LAST_PORT}`,
        ),
      );
  }
  return out;
}

/** An allocator over the Services of a storage, which it follows. */
export function createServiceAllocator(storage: Storage): ServiceAllocator {
  const addresses = new Set<string>();
  const ports = new Set<number>();
  const next: Record<Family, bigint> = { 4: 1n, 6: 1n };
  let nextPort = FIRST_PORT;

  storage.listen("/services", ({ type, object, before }) => {
    const spec = (o: KubeObject | undefined): Fields => o?.["spec"] ?? {};
    for (const a of spec(before)["clusterIPs"] ?? []) addresses.delete(a);
    for (const p of nodePortsOf(spec(before))) ports.delete(p);
    if (type === "DELETED") return;
    for (const a of spec(object)["clusterIPs"] ?? []) if (a !== "None") addresses.add(a);
    for (const p of nodePortsOf(spec(object))) ports.add(p);
  });

  function address(family: Family): string {
    const range = RANGES[family];
    const size = prefixSize(range);
    for (let tried = 1n; tried < size; tried++) {
      const text = nthAddr(range, next[family]).text;
      next[family] = next[family] + 1n >= size ? 1n : next[family] + 1n;
      if (!addresses.has(text)) return text;
    }
    throw new ApiError(500, "InternalError", `No free Service address is left in ${range.text}`);
  }

  function port(taken: ReadonlySet<number>): number {
    for (let tried = FIRST_PORT; tried <= LAST_PORT; tried++) {
      const p = nextPort;
      nextPort = nextPort === LAST_PORT ? FIRST_PORT : nextPort + 1;
      if (!ports.has(p) && !taken.has(p)) return p;
    }
    throw new ApiError(500, "InternalError", `No free node port is left from ${FIRST_PORT} to ${LAST_PORT}`);
  }

  function withNodePorts(spec: Fields, old: Fields): Fields {
    if (!hasNodePorts(spec) || !Array.isArray(spec["ports"])) return spec;
    const chosen = new Set<number>(nodePortsOf(spec));
    const list = spec["ports"].map((p: Fields) => {
      if (p["nodePort"]) return p;
      const before = (old["ports"] ?? []).find(
        (o: Fields) => o["port"] === p["port"] && o["protocol"] === p["protocol"] && !chosen.has(o["nodePort"]),
      );
      const nodePort = before?.nodePort || port(chosen);
      chosen.add(nodePort);
      return { ...p, nodePort };
    });
    return { ...spec, ports: list };
  }

  function withHealthCheck(spec: Fields): Fields {
    if (!hasHealthCheck(spec) || spec["healthCheckNodePort"]) return spec;
    return { ...spec, healthCheckNodePort: port(new Set(nodePortsOf(spec))) };
  }

  function withAddresses(spec: Fields): Fields {
    if (!hasClusterIp(spec)) return spec;
    const families = familiesOf(spec);
    const ipFamilies = families.map((f) => `IPv${f}`);
    const ipFamilyPolicy = spec["ipFamilyPolicy"] ?? (families.length > 1 ? "RequireDualStack" : "SingleStack");
    if (spec["clusterIP"] === "None") return { ...spec, clusterIPs: ["None"], ipFamilies, ipFamilyPolicy };
    const given: readonly string[] = spec["clusterIPs"] ?? [];
    const clusterIPs = families.map((f) => given.find((a) => familyOf(a) === f) ?? address(f));
    return { ...spec, clusterIP: clusterIPs[0], clusterIPs, ipFamilies, ipFamilyPolicy };
  }

  return {
    check: (object, old) => refusals({ addresses, ports }, object["spec"] ?? {}, old?.["spec"] ?? {}),
    allocate(object, old) {
      const before: Fields = old?.["spec"] ?? {};
      return { ...object, spec: withHealthCheck(withNodePorts(withAddresses(object["spec"] ?? {}), before)) };
    },
  };
}
