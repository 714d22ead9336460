/** Results written in the caller's version. */

import type { Family } from "../net/addr.ts";
import type { InterfaceAddr } from "../net/prefix.ts";
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from "./result.ts";
import { type CniVersion, isAtLeast } from "./version.ts";

type Json = Record<string, unknown>;

/** Members that are undefined are left out, as `JSON.stringify` does; empty lists too, as every version allows. */
function compact(members: Json): Json {
  return Object.fromEntries(
    Object.entries(members).filter(([, v]) => v !== undefined && !(Array.isArray(v) && v.length === 0)),
  );
}

function cidr(a: InterfaceAddr): string {
  return `${a.addr.text}/${a.length}`;
}

function writeDns(dns: CniDns): Json {
  return compact({ ...dns });
}

function writeInterface(i: CniInterface, version: CniVersion): Json {
  const { name, mac, mtuBytes: mtu, sandbox, socketPath, pciId: pciID } = i;
  return compact(isAtLeast(version, "1.1.0") ? { name, mac, mtu, sandbox, socketPath, pciID } : { name, mac, sandbox });
}

function writeIp(ip: CniIp, version: CniVersion): Json {
  return compact({
    // Dropped in 1.0.0: the address says it.
    version: isAtLeast(version, "1.0.0") ? undefined : String(ip.address.addr.family),
    interface: ip.interfaceIndex,
    address: cidr(ip.address),
    gateway: ip.gateway?.text,
  });
}

function writeRoute(route: CniRoute, version: CniVersion): Json {
  const { mtuBytes: mtu, advmss, priority, table, scope } = route;
  const base = { dst: cidr(route.dst), gw: route.gw?.text };
  return compact(isAtLeast(version, "1.1.0") ? { ...base, mtu, advmss, priority, table, scope } : base);
}

/** 0.1.0 and 0.2.0 know one address of a family: the first. */
function writeFlat(result: CniResult, version: CniVersion): Json {
  const part = (family: Family) => {
    const ip = result.ips.find((i) => i.address.addr.family === family);
    if (ip === undefined) return undefined;
    const routes = result.routes.filter((r) => r.dst.addr.family === family);
    return compact({
      ip: cidr(ip.address),
      gateway: ip.gateway?.text,
      routes: routes.map((r) => writeRoute(r, version)),
    });
  };
  return { cniVersion: version, ...compact({ ip4: part(4), ip6: part(6) }), dns: writeDns(result.dns) };
}

/** The result as a JSON value of the version. What the version cannot say is left out. */
export function writeResult(result: CniResult, version: CniVersion): Json {
  if (!isAtLeast(version, "0.3.0")) return writeFlat(result, version);
  return {
    cniVersion: version,
    ...compact({
      interfaces: result.interfaces.map((i) => writeInterface(i, version)),
      ips: result.ips.map((ip) => writeIp(ip, version)),
      routes: result.routes.map((r) => writeRoute(r, version)),
    }),
    dns: writeDns(result.dns),
  };
}

/** The result as it stands on standard output. */
export function formatResult(result: CniResult, version: CniVersion): string {
  return JSON.stringify(writeResult(result, version));
}
