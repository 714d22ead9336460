/** Services' tables as entries of the BPF maps (`bpf/lib/service-types.h` says what they mean). */

import { addrFromBytes } from "../net/addr.ts";
import {
  decodeBackend,
  decodeBackendKey,
  decodeService,
  decodeServiceKey,
  encodeBackend,
  encodeBackendKey,
  encodeService,
  encodeServiceKey,
  encodeServiceSlot,
  encodeServiceSlotKey,
  encodeServiceSource,
  encodeServiceSourceKey,
} from "../net/gen/bpf-maps.ts";
import { mappedLength } from "../net/prefix.ts";
import { backendName } from "../service/endpoints.ts";
import { frontendName } from "../service/frontends.ts";
import type { BackendRow, FrontendRow, ServiceRow, SlotKey, SlotRow, SourceRow } from "../service/rows.ts";
import type { Adopted } from "../service/tables.ts";
import type { MapRow } from "./rows.ts";

/** Maps that hold services. */
export const SERVICE_MAPS = {
  services: "services",
  slots: "service_slots",
  backends: "backends",
  sources: "service_sources",
} as const;

/** Bits of a service's number, which stand before the address. */
export const NUMBER_BITS = 32;

/** Key of an entry of `services`. */
export function serviceMapKey({ addr, port, protocol }: FrontendRow["frontend"]): Uint8Array {
  return encodeServiceKey({ addr: addr.bytes, port, protocol });
}

/** Entry of `services`. */
export function serviceMapRow({ frontend, row }: FrontendRow): MapRow {
  return { key: serviceMapKey(frontend), value: encodeService(row) };
}

/** Key of an entry of `service_slots`. */
export function slotMapKey({ set, index }: SlotKey): Uint8Array {
  return encodeServiceSlotKey({ set, index });
}

/** Entry of `service_slots`. */
export function slotMapRow(slot: SlotRow): MapRow {
  return { key: slotMapKey(slot), value: encodeServiceSlot({ backend: slot.backend }) };
}

/** Key of an entry of `backends`. */
export function backendMapKey(number: number): Uint8Array {
  return encodeBackendKey({ number });
}

/** Entry of `backends`. */
export function backendMapRow({ number, addr, port, protocol }: BackendRow): MapRow {
  return { key: backendMapKey(number), value: encodeBackend({ addr: addr.bytes, port, protocol }) };
}

/** Key of an entry of `service_sources`. */
export function sourceMapKey({ service, prefix }: SourceRow): Uint8Array {
  return encodeServiceSourceKey({
    prefixBits: NUMBER_BITS + mappedLength(prefix),
    service,
    addr: prefix.addr.bytes,
  });
}

/** Entry of `service_sources`. */
export function sourceMapRow(source: SourceRow): MapRow {
  return { key: sourceMapKey(source), value: encodeServiceSource({ isAllowed: 1 }) };
}

/** A frontend's name and row, from an entry of `services`. */
function readServiceRow({ key, value }: MapRow): readonly [name: string, row: ServiceRow] {
  const { addr, port, protocol } = decodeServiceKey(key);
  return [frontendName({ addr: addrFromBytes(addr), port, protocol }), decodeService(value)];
}

/** A backend's name and number, from an entry of `backends`. */
function readBackendRow({ key, value }: MapRow): readonly [name: string, number: number] {
  const { addr, port, protocol } = decodeBackend(value);
  return [backendName({ addr: addrFromBytes(addr), port, protocol }), decodeBackendKey(key).number];
}

/** What entries of `services` and `backends` say. */
export function readAdopted(services: Iterable<MapRow>, backends: Iterable<MapRow>): Adopted {
  return {
    services: new Map(Array.from(services, readServiceRow)),
    backends: new Map(Array.from(backends, readBackendRow)),
  };
}
