/** What a sweep has done, in the log and in counts. */

import type { Log } from "../log.ts";
import type { Sweep } from "./sweep.ts";

/** @param count hears of each thing by its kind */
export function tellSweep(done: Sweep, log: Log, count: (kind: "attachment" | "adoption" | "device") => void): void {
  for (const e of done.removed) {
    count("attachment");
    const fields = { containerId: e.containerId, link: e.hostIfname, addrs: e.addrs.map((a) => a.text) };
    log.info({ ...fields, state: e.state }, "removed an attachment that was left");
  }
  for (const e of done.adopted) {
    count("adoption");
    const fields = { containerId: e.containerId, link: e.hostIfname, addrs: e.addrs.map((a) => a.text) };
    log.info(fields, "took up a pod's attachment that the ledger had lost");
  }
  for (const link of done.strayLinks) {
    count("device");
    log.info({ link }, "removed a pod's device that no attachment has");
  }
  if (done.strayEntries > 0) log.info({ entries: done.strayEntries }, "removed map entries that no attachment has");
  for (const failure of done.failures) log.error({ failure }, "cannot remove what an attachment left");
}
