/** CHECK: everything that ADD made is there and as it was made; all differences are reported at once. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import type { CniRequest } from "../../cni/request.ts";
import type { PodLink } from "../../kernel/kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { protocolName } from "../../model/protocol.ts";
import { familyBits } from "../../net/addr.ts";
import { ENDPOINTS_MAP, endpointAttachment, endpointMapRows, presentClasses } from "../../plan/endpoint.ts";
import { HOST_PORTS_MAP, hostPortAddress, hostPortRows } from "../../plan/host-ports.ts";
import { shaperNames } from "../../plan/names.ts";
import { QDISC_ROWS } from "../../plan/row-kinds.ts";
import { isShaped, SHAPERS_MAP, shaperMapRows, shaperRows } from "../../plan/shaper.ts";
import { areHostPortsLookedFor } from "../host-port-map.ts";
import { isGone } from "./failure.ts";
import { gatewayOf } from "./gateway.ts";
import type { NodeContext } from "./node-context.ts";

function inspect(ctx: NodeContext, e: Endpoint, netns: string): PodLink | undefined {
  try {
    return ctx.kernel.inspectPodLink(netns, e.ifname);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Plugins behind may add addresses and routes, and raise nothing that makes these wrong; ours must be there. */
function podDifferences(e: Endpoint, link: PodLink): string[] {
  const out: string[] = [];
  if (!link.isUp) out.push(`interface "${e.ifname}" is down`);
  if (link.mac !== e.mac) out.push(`interface "${e.ifname}" has MAC "${link.mac}", not "${e.mac}"`);
  if (link.mtuBytes > e.mtuBytes) out.push(`interface "${e.ifname}" has MTU ${link.mtuBytes}, more than ${e.mtuBytes}`);
  if (link.hostIfindex !== e.hostIfindex)
    out.push(
      `interface "${e.ifname}" leads to index ${link.hostIfindex}, not to ${e.hostIfindex} of "${e.hostIfname}"`,
    );
  for (const a of e.addrs) {
    if (!link.addrs.some((x) => x.addr.text === a.text && x.length === familyBits(a.family)))
      out.push(`interface "${e.ifname}" lacks address "${a.text}/${familyBits(a.family)}"`);
    const gateway = gatewayOf(a.family).text;
    if (!link.routes.some((r) => r.dst.family === a.family && r.dst.length === 0))
      out.push(`interface "${e.ifname}" lacks the IPv${a.family} default route via "${gateway}"`);
    if (
      !link.routes.some((r) => r.dst.length === familyBits(a.family) && r.dst.addr.text === gateway) &&
      a.family === 4
    )
      out.push(`interface "${e.ifname}" lacks the route to "${gateway}"`);
  }
  return out;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

/** What limits the pod: devices, buckets and the entries that join them. */
function shaperDifferences(ctx: NodeContext, e: Endpoint): string[] {
  if (!isShaped(e)) return [];
  const out: string[] = [];
  const { link, peer } = shaperNames(e.hostIfname);
  const links = ctx.kernel.links();
  const near = links.find((l) => l.name === link);
  const far = links.find((l) => l.name === peer);
  if (near === undefined || far?.ifindex !== e.entryIfindex)
    return [`the pair "${link}", "${peer}" that limits the pod is not the one that was made`];
  const rows = shaperRows(e);
  const buckets = ctx.kernel.qdiscs();
  for (const want of rows.qdiscs)
    if (!buckets.some((now) => now.link === want.link && QDISC_ROWS.matches(want, now)))
      out.push(`"${want.link}" does not limit to ${want.rateBytes} bytes a second`);
  const attached = ctx.kernel.attachments();
  for (const want of rows.attachments)
    if (!attached.some((a) => a.link === want.link && a.direction === want.direction && a.program === want.program))
      out.push(`program "${want.program}" is not attached to "${want.link}"`);
  for (const row of shaperMapRows(e.hostIfindex ?? 0, near.ifindex)) {
    const found = ctx.kernel.mapGet(SHAPERS_MAP, row.key);
    if (found === undefined || !equal(found, row.value))
      out.push(`map "${SHAPERS_MAP}" does not lead through "${link}"`);
  }
  return out;
}

/** The pod's ports on the node. */
function portDifferences(ctx: NodeContext, e: Endpoint): string[] {
  if (e.hostPorts.length === 0) return [];
  const isThere = areHostPortsLookedFor(ctx.kernel);
  return e.hostPorts
    .filter((p) =>
      hostPortRows({ addrs: e.addrs, hostPorts: [p] }).some((row) => {
        const found = ctx.kernel.mapGet(HOST_PORTS_MAP, row.key);
        return !isThere || found === undefined || !equal(found, row.value);
      }),
    )
    .map((p) => `host port ${hostPortAddress(p)}/${protocolName(p.protocol)} does not lead to the pod`);
}

function nodeDifferences(ctx: NodeContext, e: Endpoint): string[] {
  const out: string[] = [];
  const host = ctx.kernel.links().find((l) => l.name === e.hostIfname);
  if (host === undefined) return [`host end "${e.hostIfname}" is missing`];
  if (host.ifindex !== e.hostIfindex)
    out.push(`host end "${e.hostIfname}" has index ${host.ifindex}, not ${e.hostIfindex}`);
  if (!host.isUp) out.push(`host end "${e.hostIfname}" is down`);
  const wanted = endpointAttachment(e);
  const isAttached = ctx.kernel
    .attachments()
    .some((a) => a.link === wanted.link && a.direction === wanted.direction && a.program === wanted.program);
  if (!isAttached) out.push(`program "${wanted.program}" is not attached to "${e.hostIfname}"`);
  // What policy says of the pod is the agent's to know.
  const classes = presentClasses(e, (key) => ctx.kernel.mapGet(ENDPOINTS_MAP, key));
  out.push(...shaperDifferences(ctx, e), ...portDifferences(ctx, e));
  for (const [i, row] of endpointMapRows(e, e.entryIfindex ?? 0, classes).entries()) {
    const found = ctx.kernel.mapGet(ENDPOINTS_MAP, row.key);
    if (found === undefined) out.push(`map "${ENDPOINTS_MAP}" lacks "${e.addrs[i]?.text}"`);
    else if (!equal(found, row.value)) out.push(`map "${ENDPOINTS_MAP}" has another entry for "${e.addrs[i]?.text}"`);
  }
  return out;
}

/** What `prevResult` says of this attachment against what the ledger remembers. */
function resultDifferences(e: Endpoint, request: CniRequest): string[] {
  const out: string[] = [];
  const previous = request.prevResult;
  const own = previous?.interfaces.find((i) => i.name === e.ifname && i.sandbox !== undefined);
  // Versions before 0.3.0 name no interfaces.
  if (previous !== undefined && previous.interfaces.length > 0 && own === undefined)
    out.push(`prevResult has no interface "${e.ifname}"`);
  if (own?.mac !== undefined && own.mac.toLowerCase() !== e.mac)
    out.push(`prevResult has MAC "${own.mac}" for "${e.ifname}", the ledger "${e.mac}"`);
  for (const a of e.addrs)
    if (previous !== undefined && !previous.ips.some((ip) => ip.address.addr.text === a.text))
      out.push(`prevResult lacks address "${a.text}"`);
  return out;
}

/** @throws LedgerError when the ledger itself fails */
export function check(ctx: NodeContext, request: CniRequest): Result<undefined, CniError> {
  const { containerId, ifname } = request;
  const name = `"${ifname}" of container "${containerId}"`;
  const e = ctx.ledger.find(containerId, ifname);
  if (e === undefined)
    return err(cniError(CNI_CODE.containerUnknown, `Cannot check ${name}: no endpoint of this node has that name`));
  const differences: string[] = [];
  if (e.state !== "ready") differences.push(`endpoint ${e.id} is ${e.state}`);
  if (ctx.kernel.netnsId(request.netns) !== e.netnsId)
    differences.push(`network namespace "${request.netns}" is not the one that was attached, "${e.netnsPath}"`);
  const link = inspect(ctx, e, request.netns);
  if (link === undefined) differences.push(`there is no interface "${ifname}" in "${request.netns}"`);
  else differences.push(...podDifferences(e, link));
  differences.push(...nodeDifferences(ctx, e), ...resultDifferences(e, request));
  if (differences.length === 0) return ok(undefined);
  const msg = `Check of ${name} found ${differences.length} ${differences.length === 1 ? "difference" : "differences"}: ${differences[0]}`;
  return err(cniError(CNI_CODE.checkFailed, msg, differences.join("\n")));
}
