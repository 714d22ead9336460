/** Results of every version, as in `prevResult`, read into the newest form. */

import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { type Reader, readObject } from "../model/read.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import { type InterfaceAddr, parseInterfaceAddr } from "../net/prefix.ts";
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from "./result.ts";
import { type CniVersion, isAtLeast } from "./version.ts";

const UINT32_MAX = 0xffff_ffff;

function parsed<T>(r: Reader, key: string, parse: (text: string) => Result<T>): T | undefined {
  const text = r.string(key);
  // Go writes an absent address as "".
  if (text === undefined || text === "") return undefined;
  const value = parse(text);
  if (value.ok) return value.value;
  r.issue(key, value.error);
  return undefined;
}

function requiredCidr(r: Reader, key: string): InterfaceAddr | undefined {
  const value = parsed(r, key, parseInterfaceAddr);
  if (value === undefined && (r.string(key) ?? "") === "") r.issue(key, "A CIDR is required");
  return value;
}

function gateway(r: Reader, key: string): Addr | undefined {
  return parsed(r, key, parseAddr);
}

function readInterface(r: Reader): CniInterface {
  return {
    name: r.string("name") ?? "",
    mac: r.string("mac") || undefined,
    mtuBytes: r.integer("mtu", 0, UINT32_MAX),
    sandbox: r.string("sandbox") || undefined,
    socketPath: r.string("socketPath") || undefined,
    pciId: r.string("pciID") || undefined,
  };
}

function readIp(r: Reader, interfaces: number): readonly CniIp[] {
  const address = requiredCidr(r, "address");
  const interfaceIndex = r.integer("interface", 0, UINT32_MAX);
  if (interfaceIndex !== undefined && interfaceIndex >= interfaces)
    r.issue("interface", `${interfaceIndex} names none of the ${interfaces} interfaces`);
  return address === undefined ? [] : [{ address, gateway: gateway(r, "gateway"), interfaceIndex }];
}

function readRoute(r: Reader): readonly CniRoute[] {
  const dst = requiredCidr(r, "dst");
  if (dst === undefined) return [];
  return [
    {
      dst,
      gw: gateway(r, "gw"),
      mtuBytes: r.integer("mtu", 0, UINT32_MAX),
      advmss: r.integer("advmss", 0, UINT32_MAX),
      priority: r.integer("priority", 0, UINT32_MAX),
      table: r.integer("table", 0, UINT32_MAX),
      scope: r.integer("scope", 0, 255),
    },
  ];
}

/** The `dns` object of a result or a configuration; undefined reads as empty. */
export function readDns(r: Reader | undefined): CniDns {
  return {
    nameservers: r?.strings("nameservers") ?? [],
    domain: r?.string("domain") || undefined,
    search: r?.strings("search") ?? [],
    options: r?.strings("options") ?? [],
  };
}

/** `ip4` and `ip6` of 0.1.0 and 0.2.0. */
function readFlat(r: Reader): CniResult {
  const ips: CniIp[] = [];
  const routes: CniRoute[] = [];
  for (const key of ["ip4", "ip6"]) {
    const part = r.object(key);
    if (part === undefined) continue;
    const address = requiredCidr(part, "ip");
    if (address !== undefined) ips.push({ address, gateway: gateway(part, "gateway"), interfaceIndex: undefined });
    routes.push(...part.objects("routes").flatMap(readRoute));
  }
  return { interfaces: [], ips, routes, dns: readDns(r.object("dns")) };
}

/** Reads a result of the version; every complaint is added to `issues`, and what is sound is returned. */
export function readResult(value: unknown, version: CniVersion, issues: Issue[], path = ""): CniResult {
  const r = readObject(value, issues, path);
  if (!isAtLeast(version, "0.3.0")) return readFlat(r);
  const interfaces = r.objects("interfaces").map(readInterface);
  return {
    interfaces,
    ips: r.objects("ips").flatMap((ip) => readIp(ip, interfaces.length)),
    routes: r.objects("routes").flatMap(readRoute),
    dns: readDns(r.object("dns")),
  };
}
