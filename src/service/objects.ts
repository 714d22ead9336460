/** The services of a cluster with their slices: what has changed since the last look, by service. */

import { exact } from "../base/exact.ts";
import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import type { Table } from "../store/table.ts";

/** Tables of the cluster that services follow from. */
export interface ServiceObjectTables {
  readonly services: Table<Service>;
  readonly endpointSlices: Table<EndpointSlice>;
}

const NONE: readonly EndpointSlice[] = [];

/** See the file's comment. Services are named by `namespace/name`. */
export class ServiceObjects {
  #tables: ServiceObjectTables | undefined;
  readonly #slices = new Map<string, readonly EndpointSlice[]>();

  /** Takes over the tables. @returns services that may have become something else, those that are gone included */
  take(tables: ServiceObjectTables): ReadonlySet<string> {
    const before = this.#tables;
    this.#tables = tables;
    const changed = new Set<string>();
    for (const { key } of tables.services.changesSince(before?.services)) changed.add(key);
    for (const { before: old, after } of tables.endpointSlices.changesSince(before?.endpointSlices)) {
      if (old !== undefined) changed.add(this.#replace(old, undefined));
      if (after !== undefined) changed.add(this.#replace(undefined, after));
    }
    return changed;
  }

  /** How many services there are. */
  get size(): number {
    return this.#tables?.services.size ?? 0;
  }

  /** Names of all services. */
  names(): Iterable<string> {
    return this.#tables?.services.keys() ?? [];
  }

  service(name: string): Service | undefined {
    return this.#tables?.services.get(name);
  }

  slices(name: string): readonly EndpointSlice[] {
    return this.#slices.get(name) ?? NONE;
  }

  #replace(old: EndpointSlice | undefined, now: EndpointSlice | undefined): string {
    const slice = now ?? old;
    const name = `${slice?.namespace}/${slice?.service}`;
    const others = this.slices(name).filter((s) => s.name !== slice?.name);
    const all = now === undefined || now.isUnproxied ? others : [...others, now];
    if (all.length > 0) this.#slices.set(name, exact(all));
    else this.#slices.delete(name);
    return name;
  }
}
