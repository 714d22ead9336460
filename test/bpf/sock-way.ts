/** What tests of the socket hook share: how sockets ask, and who heard of it. */

import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { soon } from "../fixture/soon.ts";
import type { Protocol, SockBench } from "./sock-bench.ts";

/** How a socket asks for IPv4 or IPv6: its own family, and what stands before the address. */
export const WAYS = [
  { name: "IPv4", family: 4, socket: 4, prefix: "" },
  { name: "IPv6", family: 6, socket: 6, prefix: "" },
  { name: "IPv4 by a socket of IPv6", family: 4, socket: 6, prefix: "::ffff:" },
] as const;
/** The first network namespace of a machine: PROC_NET_INIT_INO (linux/proc_ns.h), and what it came to be before that was fixed. */
const FIRST_NETWORKS = ["net:[4026531833]", "net:[4026531840]"];

/** A path of that namespace, by the nearest ancestor in it: tests have one of their own. undefined: this is a container. */
export function firstNetwork(): string | undefined {
  let pid = process.pid;
  while (pid > 0) {
    const path = `/proc/${pid}/ns/net`;
    try {
      if (FIRST_NETWORKS.includes(readlinkSync(path))) return path;
      pid = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    } catch {
      return undefined;
    }
  }
  return undefined;
}
export const PROTOCOLS = ["TCP", "UDP"] as const;
export const TEXT = Buffer.from("hello");

/** The code of the failure, or "ok". */
export function outcome(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** The next datagram, which is on its way: a busy kernel leaves packets, also those of a loopback, to a thread. */
export function received(b: SockBench, fd: number) {
  const datagram = soon(() => b.addon.receive(fd));
  assert.ok(datagram !== undefined, "a datagram");
  return datagram;
}

/** Those who heard something until now. */
function heardUntilNow(b: SockBench, protocol: Protocol, servers: readonly number[]): number[] {
  return servers.flatMap((fd, i) => {
    const found: number[] = [];
    for (;;) {
      const one = protocol === "TCP" ? b.addon.accept(fd) : b.addon.receive(fd);
      if (one === undefined) return found;
      if (protocol === "TCP") b.addon.close((one as { fd: number }).fd);
      found.push(i);
    }
  });
}

/**
 * Which of the servers heard from the clients, by index and in its order, once for each datagram or connection.
 * @param count so many are waited for; of what should not come it is 0
 */
export function heard(b: SockBench, protocol: Protocol, servers: readonly number[], count: number): number[] {
  const found: number[] = [];
  soon(() => {
    found.push(...heardUntilNow(b, protocol, servers));
    return found.length >= count || undefined;
  });
  return found.sort((x, y) => x - y);
}
