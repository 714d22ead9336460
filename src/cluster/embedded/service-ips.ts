/** Cluster addresses and node ports of Services, handed out from fixed ranges and given back with the Service. */

import type { Family } from "../../net/addr.ts";
import { nthAddr, type Prefix, prefix, prefixSize } from "../../net/prefix.ts";
import { ApiError } from "./api-error.ts";
import type { Fields } from "./fields.ts";
import type { Storage } from "./storage.ts";
import type { KubeObject } from "./types.ts";

const RANGES: Readonly<Record<Family, Prefix>> = { 4: prefix("10.96.0.0/16"), 6: prefix("fd00:10:96::/112") };
const FIRST_PORT = 30_000;
const LAST_PORT = 32_767;

/** Completes the specification of a new or changed Service. */
export interface ServiceAllocator {
  allocate(object: KubeObject, old: KubeObject | undefined): KubeObject;
}

function familiesOf(spec: Fields): readonly Family[] {
  const given: readonly string[] = spec["ipFamilies"] ?? [];
  const named = given.map((f): Family => (f === "IPv6" ? 6 : 4));
  const policy = spec["ipFamilyPolicy"] ?? (named.length > 1 ? "RequireDualStack" : "SingleStack");
  const first = named[0] ?? (String(spec["clusterIP"] ?? "").includes(":") ? 6 : 4);
  return policy === "SingleStack" ? [first] : [first, first === 4 ? 6 : 4];
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
    for (const p of spec(before)["ports"] ?? []) ports.delete(p.nodePort);
    if (type === "DELETED") return;
    for (const a of spec(object)["clusterIPs"] ?? []) if (a !== "None") addresses.add(a);
    for (const p of spec(object)["ports"] ?? []) if (p.nodePort !== undefined) ports.add(p.nodePort);
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
    const isWanted =
      spec["type"] === "NodePort" ||
      (spec["type"] === "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] !== false);
    if (!isWanted || !Array.isArray(spec["ports"])) return spec;
    const chosen = new Set<number>();
    const list = spec["ports"].map((p: Fields) => {
      const before = (old["ports"] ?? []).find(
        (o: Fields) => o["port"] === p["port"] && o["protocol"] === p["protocol"],
      );
      const nodePort = p["nodePort"] || before?.nodePort || port(chosen);
      chosen.add(nodePort);
      return { ...p, nodePort };
    });
    return { ...spec, ports: list };
  }

  function withAddresses(spec: Fields, old: Fields): Fields {
    if (spec["type"] === "ExternalName") return spec;
    const families = familiesOf(spec);
    const ipFamilies = families.map((f) => `IPv${f}`);
    const ipFamilyPolicy = spec["ipFamilyPolicy"] ?? (families.length > 1 ? "RequireDualStack" : "SingleStack");
    if (spec["clusterIP"] === "None") return { ...spec, clusterIPs: ["None"], ipFamilies, ipFamilyPolicy };
    const given: readonly string[] =
      spec["clusterIPs"] ?? (spec["clusterIP"] ? [spec["clusterIP"]] : (old["clusterIPs"] ?? []));
    const of = (f: Family) => given.find((a) => a !== "None" && a.includes(":") === (f === 6));
    const clusterIPs = families.map((f) => of(f) ?? address(f));
    return { ...spec, clusterIP: clusterIPs[0], clusterIPs, ipFamilies, ipFamilyPolicy };
  }

  return {
    allocate(object, old) {
      const before: Fields = old?.["spec"] ?? {};
      return { ...object, spec: withNodePorts(withAddresses(object["spec"] ?? {}, before), before) };
    },
  };
}
