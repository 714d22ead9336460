/** One attached pod's part of the node's tables. */

import type { Endpoint } from "../model/endpoint.ts";
import { decodeEndpoint, EndpointFlag, encodeEndpoint, encodeEndpointKey } from "../net/gen/bpf-maps.ts";
import { macBytes } from "../net/mac.ts";
import { CLOSED, type EndpointClasses } from "../policy/table.ts";
import { hostPortRows } from "./host-ports.ts";
import { GATEWAY_MAC } from "./names.ts";
import type { EndpointRows } from "./node-plan.ts";
import type { AttachRow, MapRow } from "./rows.ts";
import { isShaped, shaperMapRows, shaperRows } from "./shaper.ts";

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
 * @param entryIfindex of the device by which programs see the pod, which the ledger knows only later
 * @param classes what policy says of it
 */
export function endpointMapRows(e: Endpoint, entryIfindex: number, classes: EndpointClasses): readonly MapRow[] {
  const value = encodeEndpoint({
    ifindex: entryIfindex,
    ingressClass: classes.ingress,
    egressClass: classes.egress,
    flags: isShaped(e) ? EndpointFlag.shaped : 0,
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
 * The program that every packet of the pod meets first. Attached in the quick way, unless what the pod sends is limited: a
 * plugin behind Twill may want to limit it, too, and needs the ingress qdisc of the host end for it.
 */
export function endpointAttachment(e: Pick<Endpoint, "hostIfname" | "download" | "upload">): AttachRow {
  const row = { link: e.hostIfname, direction: "ingress", program: isShaped(e) ? "shape" : "from_pod" } as const;
  return e.upload === undefined ? { ...row, by: "clsact" } : row;
}

/** Where an endpoint's devices are: see Endpoint.entryIfindex. */
export interface EndpointDevices {
  readonly entryIfindex: number | undefined;
  /** Of a limited pod: the pod's side of its pair. */
  readonly shaperIfindex: number | undefined;
}

/**
 * What a complete attachment wants on the node; undefined while it is not complete, or not any more. A limited pod without its
 * pair is closed until that is there again.
 */
export function planEndpoint(
  e: Endpoint,
  classes: EndpointClasses,
  devices: EndpointDevices = { entryIfindex: e.entryIfindex, shaperIfindex: undefined },
): EndpointRows | undefined {
  if (e.state !== "ready" || e.hostIfindex === undefined) return undefined;
  const { entryIfindex, shaperIfindex } = devices;
  return {
    rows: entryIfindex === undefined ? [] : endpointMapRows(e, entryIfindex, classes),
    hostPorts: entryIfindex === undefined ? [] : hostPortRows(e),
    shaper: shaperRows(e),
    shaperRows: shaperIfindex === undefined ? [] : shaperMapRows(e.hostIfindex, shaperIfindex),
    attachment: endpointAttachment(e),
  };
}
