/** How much policy fits: half of each map, since an agent's tables stand beside its predecessor's for a while. */

import type { MapInfo } from "../../kernel/kernel.ts";
import { POLICY_MAPS } from "../../plan/policy-rows.ts";
import { type CompileLimits, DEFAULT_LIMITS } from "../../policy/room.ts";

/** Bounds that fit the maps as they are. */
export function limitsOf(maps: readonly Pick<MapInfo, "name" | "maxEntries">[]): CompileLimits {
  const half = (map: string, otherwise: number) => {
    const max = maps.find((m) => m.name === map)?.maxEntries;
    return max === undefined ? otherwise : Math.floor(max / 2);
  };
  const setRows = half(POLICY_MAPS.sets, DEFAULT_LIMITS.setRows);
  return {
    setRows,
    setRowsPerClass: Math.min(DEFAULT_LIMITS.setRowsPerClass, setRows),
    peerRows: half(POLICY_MAPS.peers, DEFAULT_LIMITS.peerRows),
    identityRows: half(POLICY_MAPS.identities, DEFAULT_LIMITS.identityRows),
    classes: half(POLICY_MAPS.classes, DEFAULT_LIMITS.classes),
  };
}
