/**
 * `connection-pace.ts HOST PORT PER_SECOND SECONDS DEADLINE_MS`: connections at a steady pace from the namespace that it runs in, until the time is
 * over or its standard input ends. Prints `ready` before the first one, and at its end what came of them, as JSON.
 */

import { writeSync } from "node:fs";
import { loadBenchAddon } from "./native.ts";

const [host = "", port = "", perSecond = "", seconds = "", deadlineMs = ""] = process.argv.slice(2);
const addon = loadBenchAddon();
// At once: what follows blocks.
writeSync(1, "ready\n");
const found = addon.paceConnections(host, Number(port), Number(perSecond), Number(seconds), Number(deadlineMs));
console.log(JSON.stringify(found));
