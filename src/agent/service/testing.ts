/** What the maps of services say, in words, for tests. */

import type { Kernel } from "../../kernel/kernel.ts";
import { addrFromBytes } from "../../net/addr.ts";
import { decodeBackend, decodeService, decodeServiceKey, decodeServiceSlot } from "../../net/gen/bpf-maps.ts";
import { backendMapKey, slotMapKey } from "../../plan/service-rows.ts";

/** `10.96.0.1:80 > 10.0.0.1:8080, 10.0.0.2:8080` for each frontend, from inside: as a program reads them. */
export function shownServices(kernel: Pick<Kernel, "mapRows" | "mapGet">): string[] {
  const backend = (number: number) => {
    const value = kernel.mapGet("backends", backendMapKey(number));
    if (value === undefined) return `no backend ${number}`;
    const { addr, port } = decodeBackend(value);
    return `${addrFromBytes(addr).text}:${port}`;
  };
  return kernel
    .mapRows("services")
    .map(({ key, value }) => {
      const { addr, port } = decodeServiceKey(key);
      const { insideSet: set, insideCount } = decodeService(value);
      const found = Array.from({ length: insideCount }, (_, index) => {
        const slot = kernel.mapGet("service_slots", slotMapKey({ set, index }));
        return slot === undefined ? `no place ${index}` : backend(decodeServiceSlot(slot).backend);
      });
      return `${addrFromBytes(addr).text}:${port} > ${[...new Set(found)].join(", ")}`.trimEnd();
    })
    .sort();
}
