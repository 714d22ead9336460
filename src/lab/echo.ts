/**
 * The program of the image `twill.dev/echo`: serves ports and answers with its own name and the address it sees.
 *
 *     ECHO_NAME=default/a ECHO_PORTS=80/TCP,81/UDP node echo.ts
 *
 * With `ECHO_DRAIN_SECONDS` it goes on serving for that long when it is told to end, as what clients still ask should.
 * It prints a line that begins with `ready` once every port is open.
 */

import { networkInterfaces } from "node:os";
import { serveTcp, serveUdp } from "./probe/serve.ts";

/**
 * One socket for each address: a reply then leaves from the address that was asked. Not on link-local addresses, which
 * may not be usable yet and which nobody asks.
 */
async function openUdp(name: string, port: number): Promise<void> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = addresses.filter((a) => !a.address.startsWith("fe80:"));
  await Promise.all(usable.map((a) => serveUdp(name, a.family === "IPv6" ? 6 : 4, { port, address: a.address })));
}

async function main(): Promise<void> {
  const name = process.env["ECHO_NAME"] ?? "echo";
  const ports = (process.env["ECHO_PORTS"] ?? "").split(",").filter((p) => p !== "");
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const drainMs = Number(process.env["ECHO_DRAIN_SECONDS"] ?? 0) * 1000;
  process.on("SIGTERM", () => setTimeout(() => process.exit(0), drainMs));
  process.on("SIGINT", () => process.exit(0));
  for (const spec of ports) {
    const [port = "", protocol = "TCP"] = spec.split("/");
    if (protocol === "TCP") await serveTcp(name, { port: Number(port), host: "::", backlog: 1024 });
    else if (protocol === "UDP") await openUdp(name, Number(port));
    else say(`Port ${spec} is not served: there are no ${protocol} sockets here`);
  }
  say(`ready: ${name} serves ${ports.length > 0 ? ports.join(", ") : "nothing"}`);
  // Without ports the process would end: a pod that serves nothing still is a pod.
  setInterval(() => {}, 1 << 30);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
