/** `connection-rate.ts server HOST PORT` | `client HOST PORT SECONDS`: the client prints connections in a second. */

import { loadBenchAddon } from "./native.ts";

const [mode, host = "", port = "", seconds = ""] = process.argv.slice(2);
const addon = loadBenchAddon();
if (mode === "server") addon.serveConnections(host, Number(port));
console.log(addon.countConnections(host, Number(port), Number(seconds)));
