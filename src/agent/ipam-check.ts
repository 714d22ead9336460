/** Compares what the ledger remembers with what the kernel has: leases, attachments, devices, map entries. */

import type { Kernel } from "../kernel/kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { addrFromBytes } from "../net/addr.ts";
import { bytesEqual, bytesKey } from "../net/bytes-key.ts";
import { decodeEndpointKey } from "../net/gen/bpf-maps.ts";
import { ENDPOINTS_MAP, planEndpoint, presentClasses } from "../plan/endpoint.ts";
import { isPodLink } from "../plan/names.ts";
import type { MapRow } from "../plan/rows.ts";
import type { NodeContext } from "./cni/node-context.ts";
import { sweep } from "./cni/sweep.ts";
import { putEndpointRows } from "./endpoint-map.ts";

/** Something that does not agree. */
export interface Finding {
  readonly kind:
    | "interrupted"
    | "device-missing"
    | "entry-missing"
    | "entry-wrong"
    | "lease-missing"
    | "lease-of-nobody"
    | "stray-entry"
    | "stray-device";
  /** Address, device or attachment. */
  readonly subject: string;
  readonly message: string;
}

/** What is compared. */
export interface CheckParts {
  readonly kernel: Pick<Kernel, "links" | "mapRows">;
  readonly ledger: Pick<Ledger, "endpoints" | "leases">;
}

function nameOf(e: Endpoint): string {
  return e.podName === undefined ? `${e.containerId}/${e.ifname}` : `${e.podNamespace}/${e.podName}`;
}

function checkRows(e: Endpoint, present: ReadonlyMap<string, MapRow>): Finding[] {
  const classes = presentClasses(e, (key) => present.get(bytesKey(key))?.value);
  return (planEndpoint(e, classes)?.rows ?? []).flatMap((row): Finding[] => {
    const now = present.get(bytesKey(row.key));
    const subject = addrFromBytes(decodeEndpointKey(row.key).addr).text;
    if (now === undefined)
      return [
        { kind: "entry-missing", subject, message: `No entry in "${ENDPOINTS_MAP}": ${nameOf(e)} has no network` },
      ];
    if (bytesEqual(now.value, row.value)) return [];
    return [
      { kind: "entry-wrong", subject, message: `The entry in "${ENDPOINTS_MAP}" is not what ${nameOf(e)} needs` },
    ];
  });
}

function checkEndpoint(e: Endpoint, links: ReadonlyMap<string, number>, rows: ReadonlyMap<string, MapRow>): Finding[] {
  const subject = nameOf(e);
  if (e.state !== "ready")
    return [{ kind: "interrupted", subject, message: `It is ${e.state}: the process that worked on it has ended` }];
  const findings = checkRows(e, rows);
  if (links.get(e.hostIfname) !== e.hostIfindex)
    findings.push({ kind: "device-missing", subject, message: `Its device "${e.hostIfname}" is gone` });
  return findings;
}

/** All findings; empty: everything agrees. Call it with the ledger's exclusive lock held. */
export function checkIpam({ kernel, ledger }: CheckParts): Finding[] {
  const endpoints = ledger.endpoints();
  const links = new Map(kernel.links().map((l) => [l.name, l.ifindex]));
  const rows = new Map(kernel.mapRows(ENDPOINTS_MAP).map((r) => [bytesKey(r.key), r]));
  const findings = endpoints.flatMap((e) => checkEndpoint(e, links, rows));
  const byId = new Map(endpoints.map((e) => [e.id, e]));
  const held = new Map<string, number>();
  for (const lease of ledger.leases()) {
    if (lease.endpoint === undefined) continue;
    held.set(lease.addr.text, lease.endpoint);
    if (!byId.has(lease.endpoint))
      findings.push({
        kind: "lease-of-nobody",
        subject: lease.addr.text,
        message: `It is leased to attachment ${lease.endpoint}, which does not exist`,
      });
  }
  for (const e of endpoints)
    for (const a of e.addrs)
      if (held.get(a.text) !== e.id)
        findings.push({ kind: "lease-missing", subject: a.text, message: `${nameOf(e)} uses it without a lease` });
  const wanted = new Set(endpoints.flatMap((e) => e.addrs.map((a) => bytesKey(a.bytes))));
  for (const [key, row] of rows)
    if (!wanted.has(key))
      findings.push({
        kind: "stray-entry",
        subject: addrFromBytes(decodeEndpointKey(row.key).addr).text,
        message: `An entry in "${ENDPOINTS_MAP}" that no attachment has`,
      });
  const devices = new Set(endpoints.map((e) => e.hostIfname));
  for (const name of links.keys())
    if (isPodLink(name) && !devices.has(name))
      findings.push({ kind: "stray-device", subject: name, message: "A pod's device that no attachment has" });
  return findings;
}

/** Mends what can be mended without an agent. @returns what is left */
export function fixIpam(ctx: NodeContext): Finding[] {
  return ctx.ledger.exclusive(() => {
    sweep(ctx);
    const classesOf = (e: Endpoint) => presentClasses(e, (key) => ctx.kernel.mapGet(ENDPOINTS_MAP, key));
    const rows = ctx.ledger.endpoints().flatMap((e) => planEndpoint(e, classesOf(e))?.rows ?? []);
    if (rows.length > 0) putEndpointRows(ctx.kernel, rows);
    return checkIpam(ctx);
  });
}
