/** What can be said of a node whose agent is away: its ledger and its pinned maps are still there. */

import type { AgentPaths } from "../agent/config/config.ts";
import { openNodeKernel, openNodeLedger } from "../agent/open-node.ts";
import { messageOf } from "../agent/reconcile/failures.ts";
import { readMaps, readPackets } from "../agent/status/kernel-status.ts";
import { countEndpoints } from "../agent/status/ledger-status.ts";
import type { MapStatus, PacketCount } from "../agent/status/status.ts";
import type { Palette } from "./colour.ts";
import { hasLedger } from "./options.ts";
import { formatShare, formatTable } from "./table.ts";

/** See the file's comment. */
export interface OfflineStatus {
  readonly endpoints: { readonly total: number; readonly byState: Readonly<Record<string, number>> } | undefined;
  readonly maps: readonly MapStatus[];
  readonly packets: readonly PacketCount[];
  /** Devices that have a program of Twill's: what is forwarding now. */
  readonly attachments: number;
  /** What could not be read. */
  readonly problems: readonly string[];
}

/** Reads what is there; what is not is said in `problems`. */
export function readOffline(paths: AgentPaths): OfflineStatus {
  const problems: string[] = [];
  const attempt = <T>(read: () => T, fallback: T): T => {
    try {
      return read();
    } catch (cause) {
      problems.push(messageOf(cause));
      return fallback;
    }
  };
  const endpoints = attempt(() => {
    if (!hasLedger(paths)) return undefined;
    using ledger = openNodeLedger(paths.run, 0);
    return countEndpoints(ledger.endpoints());
  }, undefined);
  const none = { maps: [], packets: [], attachments: 0 };
  const kernel = attempt(() => {
    using k = openNodeKernel(paths.pins);
    if (k.maps().length === 0) return none;
    return { maps: readMaps(k, undefined), packets: readPackets(k), attachments: k.attachments().length };
  }, none);
  return { endpoints, ...kernel, problems };
}

/** As text. */
export function formatOffline(why: string, s: OfflineStatus, p: Palette): string {
  const states = Object.entries(s.endpoints?.byState ?? {}).map(([state, n]) => `${n} ${state}`);
  const maps = s.maps.filter((m) => m.entries !== undefined);
  const isForwarding = s.attachments > 0;
  const forwarding = isForwarding
    ? `programs on ${s.attachments} hooks go on forwarding; nothing is updated until an agent runs`
    : "no program is attached";
  const rows = [
    ["Data plane", forwarding],
    ["Endpoints", s.endpoints === undefined ? "no ledger" : states.join(", ") || "none"],
    [
      "Maps",
      maps
        .map((m) => `${m.name} ${m.entries}/${m.maxEntries} (${formatShare(m.entries ?? 0, m.maxEntries)})`)
        .join(", ") || "not loaded",
    ],
  ];
  const wrong = [why, ...s.problems].map((t) => `${p.bad(`  ✗ ${t}`)}\n`).join("");
  return `${p.bold("Twill")}  ${p.bad("not ready")}\n${wrong}${formatTable(rows[0] ?? [], rows.slice(1))}`;
}
