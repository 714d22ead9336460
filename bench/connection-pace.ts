/**
 * `connection-pace.ts HOST PORT PER_SECOND SECONDS DEADLINE_MS`: connections at a steady pace from the namespace that it runs in, until the time is
 * over or its standard input ends. Prints what came of them, as JSON.
 */

import { loadBenchAddon } from "./native.ts";

const [host = "", port = "", perSecond = "", seconds = "", deadlineMs = ""] = process.argv.slice(2);
const found = loadBenchAddon().paceConnections(
  host,
  Number(port),
  Number(perSecond),
  Number(seconds),
  Number(deadlineMs),
);
console.log(JSON.stringify(found));
