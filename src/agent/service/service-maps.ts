/** Services' maps in the kernel: writes in their order, batched, and what an earlier agent, a failure or somebody left. */

import type { Kernel } from "../../kernel/kernel.ts";
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
import { Comparison } from "../compare/comparison.ts";
import { wantedServices } from "./wanted-services.ts";

type MapKernel = Pick<Kernel, "maps" | "mapRows" | "mapPage" | "putMapRows" | "deleteMapKeys">;

/** Rows in one call to the kernel. */
const BATCH_ROWS = 4096;

/** See the file's comment. */
export class ServiceMaps {
  readonly #kernel: MapKernel;
  readonly #comparison: Comparison;

  constructor(kernel: MapKernel) {
    this.#kernel = kernel;
    this.#comparison = new Comparison(kernel);
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

  /** Compares all maps with what should be there, in steps: see {@link Comparison.compare}. */
  compare(tables: ServiceTables): Generator<void, number | undefined> {
    return this.#comparison.compare(wantedServices(tables));
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

  #put(map: string, rows: readonly MapRow[]): void {
    for (let i = 0; i < rows.length; i += BATCH_ROWS) this.#kernel.putMapRows(map, rows.slice(i, i + BATCH_ROWS));
    this.#comparison.wrote(map, rows);
  }

  #delete(map: string, keys: readonly Uint8Array[]): void {
    for (let i = 0; i < keys.length; i += BATCH_ROWS) this.#kernel.deleteMapKeys(map, keys.slice(i, i + BATCH_ROWS));
    this.#comparison.deleted(map, keys);
  }
}
