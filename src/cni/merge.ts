/** One plugin's result put behind what the plugins before it in the chain have made. */

import type { CniDns, CniResult } from "./result.ts";

/** A result of nothing. */
export const EMPTY_RESULT: CniResult = {
  interfaces: [],
  ips: [],
  routes: [],
  dns: { nameservers: [], domain: undefined, search: [], options: [] },
};

function isEmptyDns(dns: CniDns): boolean {
  return dns.domain === undefined && dns.nameservers.length + dns.search.length + dns.options.length === 0;
}

/** `previous` unchanged and in front, `own` behind it with its interface indexes moved; own resolver settings win if any. */
export function mergeResults(previous: CniResult | undefined, own: CniResult): CniResult {
  if (previous === undefined) return own;
  const offset = previous.interfaces.length;
  const ips = own.ips.map((ip) =>
    ip.interfaceIndex === undefined ? ip : { ...ip, interfaceIndex: ip.interfaceIndex + offset },
  );
  return {
    interfaces: [...previous.interfaces, ...own.interfaces],
    ips: [...previous.ips, ...ips],
    routes: [...previous.routes, ...own.routes],
    dns: isEmptyDns(own.dns) ? previous.dns : own.dns,
  };
}
