/** What few attachments have: limits and host ports, as one column of JSON that is NULL for all others. */

import type { Bandwidth, Endpoint, HostPort } from "../model/endpoint.ts";
import { parseAddr } from "../net/addr.ts";
import { damaged } from "./error.ts";

type Extras = Pick<Endpoint, "download" | "upload" | "hostPorts">;

/** `[rate, burst]`, bits. */
type StoredBandwidth = readonly [number, number];
/** `[host port, container port, protocol, address or null]`. */
type StoredPort = readonly [number, number, number, string | null];

interface Stored {
  readonly download?: StoredBandwidth | undefined;
  readonly upload?: StoredBandwidth | undefined;
  readonly ports?: readonly StoredPort[] | undefined;
}

const NONE: Extras = Object.freeze({ download: undefined, upload: undefined, hostPorts: Object.freeze([]) });

function storedBandwidth(b: Bandwidth | undefined): StoredBandwidth | undefined {
  return b === undefined ? undefined : [b.rateBits, b.burstBits];
}

/** The column's value. */
export function extrasText(e: Extras): string | null {
  if (e.download === undefined && e.upload === undefined && e.hostPorts.length === 0) return null;
  const stored: Stored = {
    download: storedBandwidth(e.download),
    upload: storedBandwidth(e.upload),
    ports: e.hostPorts.map((p) => [p.hostPort, p.containerPort, p.protocol, p.hostIp?.text ?? null]),
  };
  return JSON.stringify(stored);
}

function bandwidthOf(stored: StoredBandwidth | undefined): Bandwidth | undefined {
  return stored === undefined ? undefined : { rateBits: stored[0], burstBits: stored[1] };
}

function portOf(path: string, [hostPort, containerPort, protocol, text]: StoredPort): HostPort {
  if (text === null) return { hostPort, containerPort, protocol, hostIp: undefined };
  const hostIp = parseAddr(text);
  if (!hostIp.ok) throw damaged(path, `a host port's address: ${hostIp.error}`);
  return { hostPort, containerPort, protocol, hostIp: hostIp.value };
}

/** Reads what {@link extrasText} wrote. @throws LedgerError LEDGER_DAMAGED */
export function extrasOfText(path: string, text: string | undefined): Extras {
  if (text === undefined) return NONE;
  let stored: Stored;
  try {
    stored = JSON.parse(text) as Stored;
  } catch (cause) {
    throw damaged(path, `an endpoint's extras are no JSON: ${String(cause)}`);
  }
  return Object.freeze({
    download: bandwidthOf(stored.download),
    upload: bandwidthOf(stored.upload),
    hostPorts: Object.freeze((stored.ports ?? []).map((p) => portOf(path, p))),
  });
}
