/** A socket in some network namespace with deadlines, over the addon: what every probe is made of. */

import { type Addon, isSyscallError, loadAddon, type NetnsRef, type SocketName } from "../../kernel/linux/addon.ts";
import { asMemberOf } from "../control-group.ts";

/** Numbers of `<sys/socket.h>` and `<netinet/in.h>` that probes use; they differ between no architectures we run on. */
export const SOCKET = {
  AF_INET: 2,
  AF_INET6: 10,
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_RCVBUF: 8,
  IPPROTO_IP: 0,
  IPPROTO_ICMP: 1,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  IPPROTO_ICMPV6: 58,
  TCP_NODELAY: 1,
  IP_MTU_DISCOVER: 10,
  IP_RECVERR: 11,
  IPV6_MTU_DISCOVER: 23,
  IPV6_RECVERR: 25,
  IPV6_V6ONLY: 26,
  /** Values of the MTU_DISCOVER options: fragment whatever is too long; never fragment, and set DF. */
  PMTUDISC_DONT: 0,
  PMTUDISC_DO: 2,
} as const;

const READABLE = 1;
const WRITABLE = 2;
/** Deadlines are counted in steps of this length: a process that did not get to run is not held to be silence. */
const STEP_MS = 25;

/** Nothing came in time. */
export class ProbeTimeout extends Error {
  readonly code = "TIMEOUT";
  constructor() {
    super("No answer in time");
    this.name = "ProbeTimeout";
  }
}

/** One non-blocking socket. Close it. */
export class ProbeSocket implements Disposable {
  readonly fd: number;
  readonly #addon: Addon;

  /** @param memberOf process of a box whose control group the socket belongs to; undefined: to ours */
  constructor(netns: NetnsRef | undefined, family: 4 | 6, type: number, protocol: number, memberOf?: number) {
    const addon = loadAddon();
    const make = () => addon.socket(netns, family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6, type, protocol);
    this.#addon = addon;
    this.fd = memberOf === undefined ? make() : asMemberOf(memberOf, make);
  }

  setOption(level: number, name: number, value: number): void {
    this.#addon.setOption(this.fd, level, name, value);
  }

  /** Connects within the deadline. @throws SyscallError as ECONNREFUSED, ProbeTimeout */
  async connect(host: string, port: number, timeoutMs: number): Promise<void> {
    if (this.#addon.connect(this.fd, host, port)) return;
    await this.#wait(WRITABLE, timeoutMs);
    this.#throwPending();
  }

  localName(): SocketName {
    return this.#addon.socketName(this.fd);
  }

  /** Sends all of it. @throws SyscallError, ProbeTimeout */
  async send(data: Uint8Array, timeoutMs: number): Promise<void> {
    let rest = data;
    while (rest.length > 0) {
      const sent = this.#addon.send(this.fd, rest);
      if (sent === undefined) await this.#wait(WRITABLE, timeoutMs);
      else rest = rest.subarray(sent);
    }
  }

  /** The next datagram or piece of stream; empty at the end of a stream. @throws SyscallError, ProbeTimeout */
  async receive(timeoutMs: number): Promise<Buffer> {
    for (;;) {
      const got = this.#addon.receive(this.fd);
      if (got !== undefined) return got.data;
      await this.#wait(READABLE, timeoutMs);
    }
  }

  #throwPending(): void {
    const errno = this.#addon.getOption(this.fd, SOCKET.SOL_SOCKET, SOCKET.SO_ERROR).readInt32LE(0);
    if (errno !== 0)
      throw Object.assign(new Error(`Cannot connect: errno ${errno}`), {
        code: errnoName(errno),
        errno,
        syscall: "connect",
      });
  }

  #wait(events: number, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = Math.max(1, Math.ceil(timeoutMs / STEP_MS));
      const done = (error?: Error) => {
        clearInterval(timer);
        this.#addon.pollStop(poll);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setInterval(() => --left <= 0 && done(new ProbeTimeout()), STEP_MS);
      // An error condition makes the descriptor readable and writable too: the next call reports it.
      const poll = this.#addon.pollStart(this.fd, events, () => done());
    });
  }

  [Symbol.dispose](): void {
    this.#addon.close(this.fd);
  }
}

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  13: "EACCES",
  71: "EPROTO",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};

function errnoName(errno: number): string {
  return ERRNO_NAMES[errno] ?? `E${errno}`;
}

/** The code of a failed call: errno's name, `TIMEOUT`, or undefined for anything else. */
export function failureCode(error: unknown): string | undefined {
  if (error instanceof ProbeTimeout) return error.code;
  return isSyscallError(error) ? error.code : undefined;
}
