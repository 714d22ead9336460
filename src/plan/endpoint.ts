/** One attached pod's part of the node's tables. */

import type { Endpoint } from "../model/endpoint.ts";
import { decodeEndpoint, EndpointFlag, encodeEndpoint, encodeEndpointKey } from "../net/gen/bpf-maps.ts";
import { macBytes } from "../net/mac.ts";
import { CLOSED, type EndpointClasses } from "../policy/table.ts";
import { GATEWAY_MAC } from "./names.ts";
import type { EndpointRows } from "./node-plan.ts";
import type { AttachRow, MapRow } from "./rows.ts";
import { endpointSysctls } from "./sysctls.ts";

/** Name of the map that opens a pod's link, address by address. */
export const ENDPOINTS_MAP = "endpoints";

/** Neither direction is open: what is not known yet. */
export const CLOSED_CLASSES: EndpointClasses = { ingress: CLOSED, egress: CLOSED };

/** Keys of the pod's entries in {@link ENDPOINTS_MAP}. */
export function endpointKeys(e: Pick<Endpoint, "addrs">): readonly Uint8Array[] {
  return e.addrs.map((a) => encodeEndpointKey({ addr: a.bytes }));
}

/**
 * The pod's entries in {@link ENDPOINTS_MAP}.
 * @param hostIfindex of the host end, which the ledger knows only later
 * @param classes what policy says of it
 */
export function endpointMapRows(e: Endpoint, hostIfindex: number, classes: EndpointClasses): readonly MapRow[] {
  const value = encodeEndpoint({
    ifindex: hostIfindex,
    ingressClass: classes.ingress,
    egressClass: classes.egress,
    flags: (e.isDownloadLimited ? EndpointFlag.shapeDownload : 0) | (e.isUploadLimited ? EndpointFlag.shapeUpload : 0),
    mac: macBytes(e.mac),
    hostMac: macBytes(GATEWAY_MAC),
  });
  return endpointKeys(e).map((key) => ({ key, value }));
}

/** The classes that an entry of {@link ENDPOINTS_MAP} names. */
function classesIn(value: Uint8Array): EndpointClasses {
  const { ingressClass, egressClass } = decodeEndpoint(value);
  return { ingress: ingressClass, egress: egressClass };
}

/**
 * The classes that an attachment's entries name now: for who mends entries without knowing policy. None is there: closed.
 * @param valueAt of {@link ENDPOINTS_MAP}
 */
export function presentClasses(
  e: Pick<Endpoint, "addrs">,
  valueAt: (key: Uint8Array) => Uint8Array | undefined,
): EndpointClasses {
  const [value] = endpointKeys(e).flatMap((key) => valueAt(key) ?? []);
  return value === undefined ? CLOSED_CLASSES : classesIn(value);
}

/**
 * The program that every packet of the pod meets first. Attached in the quick way, unless what the pod sends is limited:
 * then the ingress qdisc of its host end belongs to who limits it.
 */
export function endpointAttachment(
  e: Pick<Endpoint, "hostIfname"> & Partial<Pick<Endpoint, "isUploadLimited">>,
): AttachRow {
  const row = { link: e.hostIfname, direction: "ingress", program: "from_pod" } as const;
  return e.isUploadLimited === true ? row : { ...row, by: "clsact" };
}

/** What a complete attachment wants on the node; undefined while it is not complete, or not any more. */
export function planEndpoint(e: Endpoint, classes: EndpointClasses): EndpointRows | undefined {
  if (e.state !== "ready" || e.hostIfindex === undefined) return undefined;
  return { link: e.hostIfname, rows: endpointMapRows(e, e.hostIfindex, classes), sysctls: endpointSysctls(e) };
}
