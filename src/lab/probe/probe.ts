/** One probe: real packets from one namespace to one address, and what came of it. */

import { randomBytes } from "node:crypto";
import { echoRequest, readEchoReply } from "./icmp.ts";
import { decodeReply, type EchoReply, encodeRequest, plainAddress } from "./protocol.ts";
import { failureCode, ProbeSocket, ProbeTimeout, SOCKET } from "./socket.ts";

/** What a probe came to. `refused`: somebody on the way or at the end said no. */
export type Verdict = "ok" | "refused" | "timeout";

/** What to send where. */
export interface ProbeSpec {
  /** Path of the namespace that sends. */
  readonly netns: string;
  /** Process of a box in whose control group the socket is made, for TCP and UDP; default: none, which no agent's hook sees. */
  readonly memberOf?: number;
  readonly protocol: "TCP" | "UDP" | "ICMP";
  readonly to: string;
  /** Ignored for ICMP. */
  readonly port: number;
  /** Bytes of payload each way; default: as few as possible. */
  readonly sizeBytes?: number;
  /** `never`: DF is set and nothing is fragmented; `allowed`: DF is not set. Default: the kernel's choice. */
  readonly fragment?: "never" | "allowed";
  readonly timeoutMs?: number;
  /** TCP only: nobody who knows our words listens there, an open connection counts. */
  readonly isConnectEnough?: boolean;
}

/** What came of a probe. */
export interface ProbeResult {
  readonly verdict: Verdict;
  /** Errno's name or words, when not ok. */
  readonly reason?: string;
  /** Who answered (not for ICMP). */
  readonly server?: string;
  /** The prober's address and port as the server saw them (not for ICMP). */
  readonly seenAddress?: string;
  readonly seenPort?: number;
  /** The prober's own address. */
  readonly ownAddress?: string;
  readonly ownPort?: number;
  readonly ms: number;
}

/** Long enough for a busy machine, short enough for a matrix full of denied cells. */
const DEFAULT_TIMEOUT_MS = 500;
/** UDP and ICMP ask again: one lost datagram is no verdict. */
const ASKS = 3;

/** Sends one probe. Never throws for what the network or the kernel says. */
export async function probe(spec: ProbeSpec): Promise<ProbeResult> {
  const start = performance.now();
  const took = () => Math.round((performance.now() - start) * 1000) / 1000;
  try {
    const found = await PROBES[spec.protocol](spec);
    return { verdict: "ok", ...found, ms: took() };
  } catch (error) {
    const code = failureCode(error);
    if (code === undefined) throw error;
    return { verdict: code === "TIMEOUT" ? "timeout" : "refused", reason: code, ms: took() };
  }
}

type Found = Omit<ProbeResult, "verdict" | "ms">;

const PROBES: Readonly<Record<ProbeSpec["protocol"], (spec: ProbeSpec) => Promise<Found>>> = {
  TCP: probeTcp,
  UDP: probeUdp,
  ICMP: probeIcmp,
};

function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

function setFragment(socket: ProbeSocket, spec: ProbeSpec): void {
  if (spec.fragment === undefined) return;
  const value = spec.fragment === "never" ? SOCKET.PMTUDISC_DO : SOCKET.PMTUDISC_DONT;
  if (familyOf(spec.to) === 4) socket.setOption(SOCKET.IPPROTO_IP, SOCKET.IP_MTU_DISCOVER, value);
  else socket.setOption(SOCKET.IPPROTO_IPV6, SOCKET.IPV6_MTU_DISCOVER, value);
}

function found(socket: ProbeSocket, reply: EchoReply): Found {
  const own = socket.localName();
  return {
    server: reply.name,
    seenAddress: reply.peerAddress,
    seenPort: reply.peerPort,
    ownAddress: plainAddress(own.host),
    ownPort: own.port,
  };
}

async function probeTcp(spec: ProbeSpec): Promise<Found> {
  const timeoutMs = spec.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  using socket = new ProbeSocket(spec.netns, familyOf(spec.to), SOCKET.STREAM, SOCKET.IPPROTO_TCP, spec.memberOf);
  socket.setOption(SOCKET.IPPROTO_TCP, SOCKET.TCP_NODELAY, 1);
  await socket.connect(spec.to, spec.port, timeoutMs);
  if (spec.isConnectEnough === true)
    return { ownAddress: plainAddress(socket.localName().host), ownPort: socket.localName().port };
  const nonce = randomBytes(6).toString("hex");
  const size = spec.sizeBytes ?? 0;
  await socket.send(encodeRequest({ nonce, size, want: size }), timeoutMs);
  const pieces: Buffer[] = [];
  let length = 0;
  let reply: EchoReply | undefined;
  while (reply === undefined || length < reply.size) {
    const piece = await socket.receive(timeoutMs);
    if (piece.length === 0)
      throw Object.assign(new Error("Closed early"), { code: "ECONNRESET", errno: 104, syscall: "receive" });
    pieces.push(piece);
    length += piece.length;
    reply ??= decodeReply(pieces.length === 1 ? piece : Buffer.concat(pieces));
    if (reply === undefined && length > 1_000)
      throw Object.assign(new Error("Not our echo server"), { code: "EPROTO", errno: 71, syscall: "receive" });
  }
  return found(socket, reply);
}

/** Sends and waits for the answer that `accept` knows, asking again for the lost one. */
async function ask<T>(
  socket: ProbeSocket,
  data: Uint8Array,
  timeoutMs: number,
  accept: (data: Buffer) => T | undefined,
): Promise<T> {
  for (let left = ASKS; ; left--) {
    await socket.send(data, timeoutMs);
    try {
      for (;;) {
        const answer = accept(await socket.receive(timeoutMs / ASKS));
        if (answer !== undefined) return answer;
      }
    } catch (error) {
      if (!(error instanceof ProbeTimeout) || left <= 1) throw error;
    }
  }
}

async function probeUdp(spec: ProbeSpec): Promise<Found> {
  const timeoutMs = spec.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  using socket = new ProbeSocket(spec.netns, familyOf(spec.to), SOCKET.DGRAM, 0, spec.memberOf);
  setFragment(socket, spec);
  await socket.connect(spec.to, spec.port, timeoutMs);
  const nonce = randomBytes(6).toString("hex");
  const size = spec.sizeBytes ?? 0;
  const request = encodeRequest({ nonce, size, want: size });
  const reply = await ask(socket, request, timeoutMs, (data) => {
    const header = decodeReply(data);
    return header?.nonce === nonce && header.size === data.length ? header : undefined;
  });
  return found(socket, reply);
}

async function probeIcmp(spec: ProbeSpec): Promise<Found> {
  const timeoutMs = spec.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const family = familyOf(spec.to);
  using socket = new ProbeSocket(
    spec.netns,
    family,
    SOCKET.RAW,
    family === 4 ? SOCKET.IPPROTO_ICMP : SOCKET.IPPROTO_ICMPV6,
  );
  setFragment(socket, spec);
  // Without it a raw socket is not told of "unreachable".
  if (family === 4) socket.setOption(SOCKET.IPPROTO_IP, SOCKET.IP_RECVERR, 1);
  else socket.setOption(SOCKET.IPPROTO_IPV6, SOCKET.IPV6_RECVERR, 1);
  await socket.connect(spec.to, 0, timeoutMs);
  const id = randomBytes(2).readUInt16BE();
  const nonce = randomBytes(2).readUInt16BE();
  const payload = Buffer.alloc(spec.sizeBytes ?? 24, "twill");
  await ask(socket, echoRequest(family, id, nonce, payload), timeoutMs, (data) => {
    const reply = readEchoReply(family, data);
    return reply?.id === id && reply.sequence === nonce && reply.payload.equals(payload) ? reply : undefined;
  });
  return { ownAddress: socket.localName().host };
}

/** Probes that are under way at once, at most. */
const CONCURRENT = 256;

/** Sends many probes, bounded, and gives their results in the same order. */
export async function probeAll(specs: readonly ProbeSpec[]): Promise<ProbeResult[]> {
  const results = new Array<ProbeResult>(specs.length);
  let next = 0;
  const work = async () => {
    for (let i = next++; i < specs.length; i = next++) {
      const spec = specs[i];
      if (spec !== undefined) results[i] = await probe(spec);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT, specs.length) }, work));
  return results;
}
