/**
 * Answers probes in namespaces that have no pod: nodes and the outside host. The sockets stand there, the program here.
 * A port that somebody in the namespace already serves is left to them.
 */

import { isSyscallError, loadAddon } from "../../kernel/linux/addon.ts";
import { type ProbeServer, serveTcp, serveUdp } from "./serve.ts";
import { SOCKET } from "./socket.ts";

/** Where and as whom to answer. */
export interface ResponderHost {
  readonly name: string;
  readonly netns: string;
  readonly addresses: readonly string[];
}

/** A port and its protocol. */
export interface PortSpec {
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
}

/** Servers in other namespaces, opened once for each port. */
export class Responder implements Disposable {
  #open = new Map<string, Promise<readonly ProbeServer[]>>();

  /** Serves the port on the host's addresses from now on; does nothing when it does so already. */
  async serve(host: ResponderHost, spec: PortSpec): Promise<void> {
    const key = `${host.netns} ${host.addresses.join(",")} ${spec.port}/${spec.protocol}`;
    let opened = this.#open.get(key);
    if (opened === undefined) {
      opened = Promise.all(host.addresses.map((a) => openServer(host, a, spec))).then((list) =>
        list.flatMap((s) => s ?? []),
      );
      this.#open.set(key, opened);
    }
    await opened;
  }

  [Symbol.dispose](): void {
    for (const opened of this.#open.values())
      void opened.then((servers) => {
        for (const s of servers) s.close();
      });
    this.#open.clear();
  }
}

async function openServer(host: ResponderHost, address: string, spec: PortSpec): Promise<ProbeServer | undefined> {
  const addon = loadAddon();
  const family = address.includes(":") ? 6 : 4;
  const isTcp = spec.protocol === "TCP";
  const fd = addon.socket(
    host.netns,
    family === 6 ? SOCKET.AF_INET6 : SOCKET.AF_INET,
    isTcp ? SOCKET.STREAM : SOCKET.DGRAM,
    0,
  );
  try {
    if (family === 6) addon.setOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_V6ONLY, 1);
    if (isTcp) addon.setOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_REUSEADDR, 1);
    addon.bind(fd, address, spec.port);
    if (isTcp) addon.listen(fd, 1024);
  } catch (error) {
    addon.close(fd);
    if (isSyscallError(error) && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
  return isTcp ? serveTcp(host.name, { fd }) : serveUdp(host.name, family, { fd });
}
