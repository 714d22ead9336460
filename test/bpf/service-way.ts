/** What the cases of services share: frontends and backends, written as an agent would write them. */

import { addr } from "../../src/net/addr.ts";
import {
  ConfigFlag,
  encodeBackend,
  encodeBackendKey,
  encodeService,
  encodeServiceKey,
  encodeServiceSlot,
  encodeServiceSlotKey,
  type ServiceFlow,
  ServiceFlowFlag,
  type ServiceFlowKey,
} from "../../src/net/gen/bpf-maps.ts";
import type { Case } from "./case.ts";
import { withCrc } from "./crc32c.ts";
import { frame, PROTO, sctp, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { NODE } from "./node.ts";
import { type Plane, text } from "./plane.ts";
import type { Ran } from "./test-run.ts";
import type { Word } from "./wire-way.ts";

/** A cluster's address of a service, one of a load balancer, and ports. */
export const SERVICE = { v4: "10.96.0.10", v6: "fd00:10:96::10" } as const;
export const BALANCER = { v4: "203.0.113.80", v6: "2001:db8:113::80" } as const;
/** What is asked for, and where backends listen. */
export const FRONT = 80;
export const BACK = 8080;
export const NODE_PORT = 30_080;
export const CLIENT = 4000;
export const NUMBER = 7;

export const SERVED = ConfigFlag.masquerade4 | ConfigFlag.masquerade6 | ConfigFlag.noShortcut | ConfigFlag.services;
export const GATEWAY = "ee:ee:ee:ee:ee:ee";
/** MACs of what comes from the wire to this node: the device that TEST_RUN says it comes by has the address zero. */
export const FROM_WIRE = { srcMac: NODE.remoteNodeMac, dstMac: "00:00:00:00:00:00" } as const;

export interface Target {
  readonly addr: string;
  readonly port?: number;
}

export interface Frontend {
  readonly addr: string;
  readonly port?: number;
  readonly protocol?: number;
  readonly flags?: number;
  readonly inside?: readonly Target[];
  readonly outside?: readonly Target[];
  readonly affinitySeconds?: number;
}

/** The number of a backend, by its place in the list. */
export const backendNumber = (i: number, isOutside = false) => (isOutside ? 200 : 100) + i;

/** Where rows of maps are put: under test or in a node's own. */
export interface Tables {
  put(map: string, key: Uint8Array, value: Uint8Array): void;
}

function putSet(plane: Tables, set: number, targets: readonly Target[], isOutside: boolean, protocol: number): void {
  for (const [index, t] of targets.entries()) {
    const number = backendNumber(index, isOutside);
    plane.put(
      "backends",
      encodeBackendKey({ number }),
      encodeBackend({ addr: addr(t.addr).bytes, port: t.port ?? BACK, protocol }),
    );
    plane.put("service_slots", encodeServiceSlotKey({ set, index }), encodeServiceSlot({ backend: number }));
  }
}

export function frontendKey(f: Frontend): Uint8Array {
  return encodeServiceKey({ addr: addr(f.addr).bytes, port: f.port ?? FRONT, protocol: f.protocol ?? PROTO.tcp });
}

/** Switches services on and puts one frontend, for all protocols unless one is named. */
export function putService(plane: Plane, f: Frontend): void {
  plane.putConfig({ flags: SERVED });
  putFrontend(plane, f);
}

/** Puts one frontend. */
export function putFrontend(plane: Tables, f: Frontend): void {
  const [inside, outside] = [f.inside ?? [], f.outside ?? []];
  for (const protocol of f.protocol === undefined ? [PROTO.tcp, PROTO.udp, PROTO.sctp] : [f.protocol]) {
    putSet(plane, 11, inside, false, protocol);
    putSet(plane, 12, outside, true, protocol);
    plane.put(
      "services",
      frontendKey({ ...f, protocol }),
      encodeService({
        number: NUMBER,
        flags: f.flags ?? 0,
        insideSet: 11,
        insideCount: inside.length,
        outsideSet: 12,
        outsideCount: outside.length,
        affinitySeconds: f.affinitySeconds ?? 0,
      }),
    );
  }
}

/** A kind of traffic that services know: a question, and an answer to it. */
export interface Kind {
  readonly name: string;
  readonly ask: (from: number, to: number) => Transport;
  readonly answer: (from: number, to: number) => Transport;
  readonly flows: "ct_tcp" | "ct_other";
}

const summed = (t: Transport): Transport => ({ ...t, bytes: withCrc(t.bytes) });

export const KINDS: readonly Kind[] = [
  {
    name: "TCP",
    ask: (from, to) => tcp(from, to, { flags: TCP_FLAG.syn }),
    answer: (from, to) => tcp(from, to, { flags: TCP_FLAG.syn | TCP_FLAG.ack }),
    flows: "ct_tcp",
  },
  { name: "UDP", ask: (from, to) => udp(from, to), answer: (from, to) => udp(from, to), flows: "ct_other" },
  {
    name: "SCTP",
    ask: (from, to) => summed(sctp(from, to)),
    answer: (from, to) => summed(sctp(from, to)),
    flows: "ct_other",
  },
];

/** Pod B as a second pod that sends: on the link that TEST_RUN says packets come from. */
export function letPodBSend(plane: Plane, f: Word): void {
  plane.putEndpoint(NODE.podB[f], { ...NODE.podB, ifindex: 1 });
}

/** Pod A asks for the service. */
export function ask(plane: Plane, f: Word, t: Transport, to: string = SERVICE[f], o = {}): Ran {
  return plane.run("from_pod", frame(NODE.podA[f], to, t, o));
}

const BEGUN = ["forward_local", "ct_created", "service_forward"];
/** What most cases ask with. */
export const SYN = tcp(CLIENT, FRONT, { flags: TCP_FLAG.syn });

/** Pod A asks, after what comes before; by default pod B is there and gets it. */
export function asks(f: Word, name: string, before: (plane: Plane) => void, rest: Partial<Case> = {}): Case {
  return {
    name: `${f}: ${name}`,
    program: "from_pod",
    before,
    frame: frame(NODE.podA[f], SERVICE[f], SYN),
    verdict: "peer",
    metrics: BEGUN,
    ...rest,
  };
}

/** The entries of the flows, each as "source:port > destination:port => …", answers marked. */
export function flowsText(plane: Plane): string[] {
  const side = (a: Uint8Array, port: number) => `${text(a)} ${port}`;
  const line = ({ key, entry }: { readonly key: ServiceFlowKey; readonly entry: ServiceFlow }) =>
    `${side(key.src, key.srcPort)} > ${side(key.dst, key.dstPort)} => ${side(entry.src, entry.srcPort)} > ` +
    `${side(entry.dst, entry.dstPort)}${(entry.flags & ServiceFlowFlag.flowReply) !== 0 ? " back" : ""}`;
  return plane.serviceFlows().map(line).sort();
}
