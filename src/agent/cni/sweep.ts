/** Makes ledger and kernel agree: what a crash or a vanished pod left is taken down. */

import type { Endpoint } from "../../model/endpoint.ts";
import { ENDPOINTS_MAP, endpointKeys } from "../../plan/endpoint.ts";
import { isPodLink } from "../../plan/names.ts";
import { isShaped } from "../../plan/shaper.ts";
import { deleteEndpointKeys } from "../endpoint-map.ts";
import { adoptLink } from "./adopt.ts";
import { describeFailure } from "./failure.ts";
import { hasNamespace } from "./generation.ts";
import type { NodeContext } from "./node-context.ts";
import { strayShapers } from "./shaper.ts";
import { runAll, tearDown } from "./teardown.ts";

/** What a sweep did. */
export interface Sweep {
  /** Attachments taken down. */
  readonly removed: readonly Endpoint[];
  /** Attachments that the ledger had lost and that their pods still have. */
  readonly adopted: readonly Endpoint[];
  /** Host ends that no attachment has. */
  readonly strayLinks: readonly string[];
  /** How many entries of the map `endpoints` no attachment has. */
  readonly strayEntries: number;
  /** What could not be done; the next sweep tries again. */
  readonly failures: readonly string[];
}

/** Nobody can be in the middle of it: the operation lock is held, so its process is dead. */
function isInterrupted(e: Endpoint): boolean {
  return e.state !== "ready";
}

/** The pod took its end of the link along, and its namespace is not where it was. */
function isDeserted(ctx: NodeContext, e: Endpoint, links: ReadonlyMap<string, number>): boolean {
  return links.get(e.hostIfname) !== e.hostIfindex && !hasNamespace(ctx.kernel, e);
}

function text(key: Uint8Array): string {
  return key.join(".");
}

/**
 * Takes down attachments that are pending, deleting, deserted or named in `unwanted`, takes up those that the ledger has
 * lost, then removes links and map entries that are nobody's. Safe at any time and repeatable.
 * @throws LedgerError when the ledger itself fails
 */
export function sweep(ctx: NodeContext, unwanted: (e: Endpoint) => boolean = () => false): Sweep {
  return ctx.ledger.exclusive(() => {
    const { kernel, ledger } = ctx;
    const links = kernel.links();
    const before = new Map(links.map((l) => [l.name, l.ifindex]));
    const failures: string[] = [];
    const removed: Endpoint[] = [];
    const kept: Endpoint[] = [];
    for (const e of ledger.endpoints()) {
      if (!isInterrupted(e) && !isDeserted(ctx, e, before) && !unwanted(e)) {
        kept.push(e);
        continue;
      }
      const left = tearDown(ctx, e);
      failures.push(...left);
      if (left.length === 0) removed.push(e);
      else kept.push(e);
    }
    const known = new Set([...kept, ...removed].map((e) => e.hostIfname));
    const adopted: Endpoint[] = [];
    const strayLinks: string[] = [];
    for (const link of links.filter(({ name }) => isPodLink(name) && !known.has(name))) {
      try {
        const own = adoptLink(ctx, link);
        if (own === undefined) strayLinks.push(link.name);
        else adopted.push(own);
      } catch (error) {
        // Whoever could not be looked at may be somebody's: it stays until it can.
        failures.push(describeFailure(error));
      }
    }
    const shaped = new Set([...kept, ...removed, ...adopted].filter(isShaped).map((e) => e.hostIfname));
    strayLinks.push(...strayShapers([...before.keys()], shaped));
    failures.push(...runAll(strayLinks.map((name) => () => kernel.deleteLink(name))));
    const strays = strayKeys(ctx, [...kept, ...adopted], failures);
    if (strays.length > 0) failures.push(...runAll([() => deleteEndpointKeys(kernel, strays)]));
    return { removed, adopted, strayLinks, strayEntries: strays.length, failures };
  });
}

function strayKeys(ctx: NodeContext, kept: readonly Endpoint[], failures: string[]): readonly Uint8Array[] {
  const wanted = new Set(kept.flatMap(endpointKeys).map(text));
  try {
    return ctx.kernel
      .mapRows(ENDPOINTS_MAP)
      .map((r) => r.key)
      .filter((key) => !wanted.has(text(key)));
  } catch (error) {
    failures.push(describeFailure(error));
    return [];
  }
}
