/** Where the devices of an attachment are now. */

import type { Ledger } from "../ledger/ledger.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { EndpointDevices } from "../plan/endpoint.ts";
import { shaperNames } from "../plan/names.ts";
import { isShaped } from "../plan/shaper.ts";
import type { LinksView } from "./reconcile/links-view.ts";

/** The pair of a limited pod may be another than the one that was made: the ledger is told. */
export function devicesOf(
  e: Endpoint,
  links: Pick<LinksView, "index">,
  ledger: Pick<Ledger, "setEntry">,
): EndpointDevices {
  if (!isShaped(e)) return { entryIfindex: e.entryIfindex, shaperIfindex: undefined };
  const { link, peer } = shaperNames(e.hostIfname);
  const [shaperIfindex, entryIfindex] = [links.index(link), links.index(peer)];
  if (entryIfindex !== undefined && entryIfindex !== e.entryIfindex) ledger.setEntry(e.id, entryIfindex);
  return { entryIfindex, shaperIfindex };
}
