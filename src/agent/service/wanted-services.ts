/** What the maps of services should hold, by key, as the tables are when it is asked. */

import { addrFromBytes } from "../../net/addr.ts";
import {
  BACKEND_KEY_BYTES,
  decodeBackendKey,
  decodeServiceKey,
  decodeServiceSlotKey,
  decodeServiceSourceKey,
  SERVICE_KEY_BYTES,
  SERVICE_SLOT_KEY_BYTES,
  SERVICE_SOURCE_KEY_BYTES,
} from "../../net/gen/bpf-maps.ts";
import { prefixOf, unmappedLength } from "../../net/prefix.ts";
import type { MapRow } from "../../plan/rows.ts";
import {
  backendMapKey,
  backendMapRow,
  NUMBER_BITS,
  SERVICE_MAPS,
  serviceMapKey,
  serviceMapRow,
  slotMapKey,
  slotMapRow,
  sourceMapKey,
  sourceMapRow,
} from "../../plan/service-rows.ts";
import type { ServiceTables } from "../../service/tables.ts";
import type { WantedMap } from "../compare/comparison.ts";

function wantedBackends(tables: ServiceTables): WantedMap {
  return {
    map: SERVICE_MAPS.backends,
    keyBytes: BACKEND_KEY_BYTES,
    isTrie: false,
    rowOf(key) {
      const row = tables.backendRow(decodeBackendKey(key).number);
      return row === undefined ? undefined : backendMapRow(row);
    },
    *keys() {
      for (const number of tables.backendNumbers()) yield backendMapKey(number);
    },
  };
}

function wantedSlots(tables: ServiceTables): WantedMap {
  return {
    map: SERVICE_MAPS.slots,
    keyBytes: SERVICE_SLOT_KEY_BYTES,
    isTrie: false,
    rowOf(key) {
      const { set, index } = decodeServiceSlotKey(key);
      const backend = tables.sets.slot(set, index);
      return backend === undefined ? undefined : slotMapRow({ set, index, backend });
    },
    *keys() {
      for (const set of tables.sets.numbers())
        for (let index = 0; index < tables.sets.slotCount(set); index++) yield slotMapKey({ set, index });
    },
  };
}

function wantedSources(tables: ServiceTables): WantedMap {
  return {
    map: SERVICE_MAPS.sources,
    keyBytes: SERVICE_SOURCE_KEY_BYTES,
    isTrie: true,
    rowOf(key): MapRow | undefined {
      const { prefixBits, service, addr: bytes } = decodeServiceSourceKey(key);
      const addr = addrFromBytes(bytes);
      const length = unmappedLength(addr.family, prefixBits - NUMBER_BITS);
      const prefix = length < 0 ? undefined : prefixOf(addr, length);
      if (prefix === undefined || !tables.hasSource(service, prefix)) return undefined;
      return sourceMapRow({ service, prefix });
    },
    *keys() {
      for (const source of tables.sourceRows()) yield sourceMapKey(source);
    },
  };
}

function wantedFrontends(tables: ServiceTables): WantedMap {
  return {
    map: SERVICE_MAPS.services,
    keyBytes: SERVICE_KEY_BYTES,
    isTrie: false,
    rowOf(key) {
      const { addr, port, protocol } = decodeServiceKey(key);
      const row = tables.frontendRow({ addr: addrFromBytes(addr), port, protocol });
      return row === undefined ? undefined : serviceMapRow(row);
    },
    *keys() {
      for (const { frontend } of tables.frontendRows()) yield serviceMapKey(frontend);
    },
  };
}

/** All maps of services, what is pointed at first. */
export function wantedServices(tables: ServiceTables): WantedMap[] {
  return [wantedBackends(tables), wantedSlots(tables), wantedSources(tables), wantedFrontends(tables)];
}
