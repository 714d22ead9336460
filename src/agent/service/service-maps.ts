/** Services' maps in the kernel: writes in their order, batched, and what an earlier agent, a failure or somebody left. */

import type { Kernel } from "../../kernel/kernel.ts";
import { bytesEqual, bytesKey } from "../../net/bytes-key.ts";
import { decodeBackendKey, decodeServiceSlot, decodeServiceSlotKey } from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";
import {
  backendMapKey,
  backendMapRow,
  readAdopted,
  SERVICE_MAPS,
  serviceMapKey,
  serviceMapRow,
  slotMapKey,
  slotMapRow,
  sourceMapKey,
  sourceMapRow,
} from "../../plan/service-rows.ts";
import type { ServiceWrites } from "../../service/rows.ts";
import type { Adopted, ServiceTables, TableLimits } from "../../service/tables.ts";

type MapKernel = Pick<Kernel, "maps" | "mapRows" | "mapPage" | "putMapRows" | "deleteMapKeys">;

/** Rows in one call to the kernel. */
const BATCH_ROWS = 4096;

/** What one map has too much and too little. */
interface Difference {
  readonly map: string;
  readonly puts: readonly MapRow[];
  readonly deletes: readonly Uint8Array[];
}

/** See the file's comment. */
export class ServiceMaps {
  readonly #kernel: MapKernel;

  constructor(kernel: MapKernel) {
    this.#kernel = kernel;
  }

  /** Rows that the maps take. */
  limits(): TableLimits {
    const maps = this.#kernel.maps();
    const most = (name: string) => maps.find((m) => m.name === name)?.maxEntries ?? 0;
    return {
      services: most(SERVICE_MAPS.services),
      slots: most(SERVICE_MAPS.slots),
      backends: most(SERVICE_MAPS.backends),
      sources: most(SERVICE_MAPS.sources),
    };
  }

  /** What stands in the kernel. */
  adopted(): Adopted {
    return readAdopted(this.#rows(SERVICE_MAPS.services), this.#rows(SERVICE_MAPS.backends));
  }

  /** @throws KernelError of the first that fails; those after it are not done */
  write(w: ServiceWrites): void {
    this.#put(SERVICE_MAPS.backends, w.backends.map(backendMapRow));
    this.#put(SERVICE_MAPS.slots, w.slots.map(slotMapRow));
    this.#put(SERVICE_MAPS.sources, w.sources.map(sourceMapRow));
    this.#put(SERVICE_MAPS.services, w.services.map(serviceMapRow));
    this.#delete(SERVICE_MAPS.services, w.goneServices.map(serviceMapKey));
    this.#delete(SERVICE_MAPS.sources, w.goneSources.map(sourceMapKey));
    this.#delete(SERVICE_MAPS.slots, w.goneSlots.map(slotMapKey));
    this.#delete(SERVICE_MAPS.backends, w.goneBackends.map(backendMapKey));
  }

  /**
   * Compares all maps with what should be there and writes the difference: what is missing or wrong first, then what is too
   * much. @returns rows that were not as they should be
   */
  mend(tables: ServiceTables): number {
    const steps = [
      () => this.#compare(SERVICE_MAPS.backends, Array.from(tables.backendRows(), backendMapRow), backendNumber),
      () => this.#compareSlots(tables),
      () => this.#compare(SERVICE_MAPS.sources, Array.from(tables.sourceRows(), sourceMapRow), bytesKey),
      () => this.#compare(SERVICE_MAPS.services, Array.from(tables.frontendRows(), serviceMapRow), bytesKey),
    ];
    let found = 0;
    const excess: Difference[] = [];
    for (const step of steps) {
      const difference = step();
      found += difference.puts.length + difference.deletes.length;
      this.#put(difference.map, difference.puts);
      excess.unshift(difference);
    }
    for (const { map, deletes } of excess) this.#delete(map, deletes);
    return found;
  }

  /** Empties all maps. @returns rows that were there */
  clear(): number {
    const order = [SERVICE_MAPS.services, SERVICE_MAPS.sources, SERVICE_MAPS.slots, SERVICE_MAPS.backends];
    let found = 0;
    for (const map of order) {
      const keys = Array.from(this.#rows(map), (r) => r.key);
      this.#delete(map, keys);
      found += keys.length;
    }
    return found;
  }

  /** Entries of a map, not all of them at once where that can be had. */
  *#rows(map: string): Generator<MapRow> {
    // The pages of a trie are no walk that ends: see the kernel's `mapPage`.
    if (map === SERVICE_MAPS.sources) return yield* this.#kernel.mapRows(map);
    let cursor: Uint8Array | undefined;
    do {
      const page = this.#kernel.mapPage(map, cursor, BATCH_ROWS);
      yield* page.rows;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  #compare(map: string, wanted: readonly MapRow[], keyOf: (key: Uint8Array) => string | number): Difference {
    const missing = new Map(wanted.map((row) => [keyOf(row.key), row]));
    const all = new Set(missing.keys());
    const deletes: Uint8Array[] = [];
    for (const { key, value } of this.#rows(map)) {
      const name = keyOf(key);
      const row = missing.get(name);
      if (row !== undefined && bytesEqual(row.value, value)) missing.delete(name);
      else if (!all.has(name)) deletes.push(key);
    }
    return { map, puts: [...missing.values()], deletes };
  }

  /** Of slots there are many: what is right is counted, and only a set with too few of those is written anew. */
  #compareSlots(tables: ServiceTables): Difference {
    const right = new Map<number, number>();
    const deletes: Uint8Array[] = [];
    for (const { key, value } of this.#rows(SERVICE_MAPS.slots)) {
      const { set, index } = decodeServiceSlotKey(key);
      const wanted = tables.slots(set)[index];
      if (wanted === undefined) deletes.push(key);
      else if (wanted === decodeServiceSlot(value).backend) right.set(set, (right.get(set) ?? 0) + 1);
    }
    const puts: MapRow[] = [];
    for (const set of tables.sets()) {
      const slots = tables.slots(set);
      if ((right.get(set) ?? 0) >= slots.length) continue;
      for (const [index, backend] of slots.entries()) puts.push(slotMapRow({ set, index, backend }));
    }
    return { map: SERVICE_MAPS.slots, puts, deletes };
  }

  #put(map: string, rows: readonly MapRow[]): void {
    for (let i = 0; i < rows.length; i += BATCH_ROWS) this.#kernel.putMapRows(map, rows.slice(i, i + BATCH_ROWS));
  }

  #delete(map: string, keys: readonly Uint8Array[]): void {
    for (let i = 0; i < keys.length; i += BATCH_ROWS) this.#kernel.deleteMapKeys(map, keys.slice(i, i + BATCH_ROWS));
  }
}

function backendNumber(key: Uint8Array): number {
  return decodeBackendKey(key).number;
}
