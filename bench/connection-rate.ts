/**
 * `connection-rate.ts server HOST PORT` | `client HOST PORT SECONDS [ADDRESSES]`: the client prints what connections took, to
 * one of so many addresses from HOST on each.
 */

import { loadBenchAddon } from "./native.ts";

const [mode, host = "", port = "", seconds = "", addresses = "1"] = process.argv.slice(2);
const addon = loadBenchAddon();
if (mode === "server") addon.serveConnections(host, Number(port));
console.log(JSON.stringify(addon.countConnections(host, Number(port), Number(seconds), Number(addresses))));
