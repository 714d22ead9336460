/** Events of the data plane, typed: what happened to one packet, at one hook, and by whose rule. */

import { type Addr, addrFromBytes, type Family } from "../net/addr.ts";
import {
  Direction,
  decodeEventAt,
  EVENT_BYTES,
  type Event,
  HOOK_NAMES,
  METRIC_NAMES,
  Metric,
} from "../net/gen/bpf-maps.ts";

/**
 * `drop`: ended for another reason than policy. `denied`: ended by policy. `logged`: a rule that logs stood on the
 * verdict's way. `staged`: staged policies would decide otherwise.
 */
export const EVENT_KINDS = ["drop", "denied", "logged", "staged"] as const;
/** One of {@link EVENT_KINDS}. */
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * What became of the packet. `denied`: by policy; `dropped`: for another reason. `would-…`: what staged policies would have
 * made of it, which they did not.
 */
export const VERDICTS = ["allowed", "denied", "dropped", "would-allow", "would-deny"] as const;
/** One of {@link VERDICTS}. */
export type EventVerdict = (typeof VERDICTS)[number];

/** What policy said. */
export interface PolicySays {
  /** Of the rules that spoke. */
  readonly direction: "ingress" | "egress";
  /** The verdict; of a staged event the one that staged policies would give. */
  readonly isAllowed: boolean;
  /** Number of the rule; 0: none, which denies. */
  readonly rule: number;
  /** Identities in `bank`; 0: nobody asked. */
  readonly sourceIdentity: number;
  readonly destinationIdentity: number;
  readonly bank: number;
}

/** One side of the packet. */
export interface EventEnd {
  readonly addr: Addr;
  /** undefined: the protocol has none. */
  readonly port: number | undefined;
}

/** One event. */
export interface FlowEvent {
  readonly kind: EventKind;
  /** Name of the reason without `drop_`, as `no_route`; `unknown_77` of one that is not known here. */
  readonly reason: string;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly timeNs: bigint;
  /** The program that spoke, as `from_pod`; `unknown_9` of one that is not known here. */
  readonly hook: string;
  /** Device that the packet came in by. */
  readonly ifindex: number;
  /** Of the frame. */
  readonly bytes: number;
  readonly etherType: number;
  /** undefined, as all that follows: the packet was not parsed that far. */
  readonly family: Family | undefined;
  readonly protocol: number | undefined;
  readonly source: EventEnd | undefined;
  readonly destination: EventEnd | undefined;
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number } | undefined;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32; undefined: it is not TCP. */
  readonly tcpFlags: number | undefined;
  readonly policy: PolicySays | undefined;
}

const TCP = 6;
const [ICMP, ICMP6] = [1, 58] as const;
/** TCP, UDP, SCTP, UDP-Lite. */
const WITH_PORTS: ReadonlySet<number> = new Set([TCP, 17, 132, 136]);

const KINDS = new Map<number, EventKind>([
  [Metric.dropPolicy, "denied"],
  [Metric.policyLogged, "logged"],
  [Metric.policyStaged, "staged"],
]);

/** Of the field in {@link EVENT_BYTES} that says the kind: for who counts events without decoding them. */
export const REASON_OFFSET = 8;

/** The kind of an event by the number of its reason. */
export function kindOf(reason: number): EventKind {
  return KINDS.get(reason) ?? "drop";
}

/** Name of a reason by its number, without `drop_`. */
export function reasonName(reason: number): string {
  return METRIC_NAMES.get(reason)?.replace(/^drop_/, "") ?? `unknown_${reason}`;
}

/** What became of an event's packet. */
export function verdictOf(e: Pick<FlowEvent, "kind" | "policy">): EventVerdict {
  switch (e.kind) {
    case "drop":
      return "dropped";
    case "denied":
      return "denied";
    case "logged":
      return e.policy?.isAllowed === true ? "allowed" : "denied";
    case "staged":
      return e.policy?.isAllowed === true ? "would-allow" : "would-deny";
  }
}

function policyOf(raw: Event): PolicySays | undefined {
  if (raw.direction !== Direction.ingress && raw.direction !== Direction.egress) return undefined;
  return {
    direction: raw.direction === Direction.ingress ? "ingress" : "egress",
    isAllowed: raw.isAllowed !== 0,
    rule: raw.rule,
    sourceIdentity: raw.srcIdentity,
    destinationIdentity: raw.dstIdentity,
    bank: raw.bank,
  };
}

/** Addresses are made when somebody asks for them: most events are only counted or filtered by their kind. */
class DecodedEvent implements FlowEvent {
  readonly #raw: Event;
  #source: EventEnd | undefined;
  #destination: EventEnd | undefined;

  constructor(raw: Event) {
    this.#raw = raw;
  }

  get kind(): EventKind {
    return kindOf(this.#raw.reason);
  }

  get reason(): string {
    return reasonName(this.#raw.reason);
  }

  get timeNs(): bigint {
    return this.#raw.timeNs;
  }

  get hook(): string {
    return HOOK_NAMES.get(this.#raw.hook) ?? `unknown_${this.#raw.hook}`;
  }

  get ifindex(): number {
    return this.#raw.ifindex;
  }

  get bytes(): number {
    return this.#raw.bytes;
  }

  get etherType(): number {
    return this.#raw.etherType;
  }

  get family(): Family | undefined {
    const { family } = this.#raw;
    return family === 4 || family === 6 ? family : undefined;
  }

  get protocol(): number | undefined {
    return this.family === undefined ? undefined : this.#raw.protocol;
  }

  get source(): EventEnd | undefined {
    this.#source ??= this.#end(this.#raw.src, this.#raw.srcPort);
    return this.#source;
  }

  get destination(): EventEnd | undefined {
    this.#destination ??= this.#end(this.#raw.dst, this.#raw.dstPort);
    return this.#destination;
  }

  get icmp(): FlowEvent["icmp"] {
    if (this.protocol !== ICMP && this.protocol !== ICMP6) return undefined;
    const { srcPort, dstPort } = this.#raw;
    return { type: srcPort >> 8, code: srcPort & 0xff, id: dstPort };
  }

  get tcpFlags(): number | undefined {
    return this.protocol === TCP ? this.#raw.tcpFlags : undefined;
  }

  get policy(): PolicySays | undefined {
    return policyOf(this.#raw);
  }

  #end(addr: Uint8Array, port: number): EventEnd | undefined {
    if (this.family === undefined) return undefined;
    return { addr: addrFromBytes(addr), port: WITH_PORTS.has(this.#raw.protocol) ? port : undefined };
  }
}

/**
 * Decodes an event in a larger buffer, as of a drained ring.
 * @returns undefined where the record is none: a program of another version wrote it
 */
export function decodeFlowEvent(view: DataView, offset: number, length: number): FlowEvent | undefined {
  if (length !== EVENT_BYTES || offset < 0 || offset + length > view.byteLength) return undefined;
  return new DecodedEvent(decodeEventAt(view, offset));
}
