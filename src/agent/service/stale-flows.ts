/**
 * Forgets what points at backends that are gone, and nothing else: UDP flows to who serves no longer, with their conntrack
 * entry (TCP ends by itself: KEP-1669, and as kube-proxy has it), UDP sockets that are connected to them, and affinities and
 * choices that lead to who gets no new flows. A part of a map at each step. Flows to host ports see for themselves
 * whether those are still their pod's; the sockets do not.
 */

import type { Kernel } from "../../kernel/kernel.ts";
import { bytesEqual } from "../../net/bytes-key.ts";
import {
  decodeServiceAffinity,
  decodeServiceAffinityKey,
  decodeServiceFlow,
  decodeServiceFlowKey,
  decodeSockChoice,
  decodeSockReverse,
  decodeSockReverseKey,
  ServiceFlowFlag,
} from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";
import { conntrackKeys, otherFlowKey } from "../gc/service-flow.ts";
import { hostPortAt } from "../host-port-map.ts";

type FlowKernel = Pick<Kernel, "mapPage" | "mapGet" | "deleteMapKeys" | "endSockets">;

/** Who answers now. */
export interface Answering {
  isServing(service: number, backend: number): boolean;
  isMember(service: number, backend: number): boolean;
}

/** Entries looked at in one step: some milliseconds. */
const PAGE_ROWS = 2048;
const UDP = 17;
const WALKED = ["service_flows", "service_affinity", "sock_reverse", "sock_choices"] as const;

/** Whom an entry leads to, for which service. */
interface Leading {
  readonly service: number;
  readonly backend: number;
}

function affinityOf({ key, value }: MapRow): Leading {
  return { service: decodeServiceAffinityKey(key).service, backend: decodeServiceAffinity(value).backend };
}

function choiceOf({ value }: MapRow): Leading {
  return decodeSockChoice(value);
}

/** See the file's comment. */
export class StaleFlows {
  /** Entries that pointed at who is gone, by map. */
  readonly removed = new Map<string, number>();
  readonly #kernel: FlowKernel;
  readonly #answering: Answering;
  readonly #netnses: () => readonly string[];
  #map: number = WALKED.length;
  #cursor: Uint8Array | undefined;
  #isAsked = false;

  /** @param netnses paths of the pods' network namespaces */
  constructor(kernel: FlowKernel, answering: Answering, netnses: () => readonly string[] = () => []) {
    this.#netnses = netnses;
    this.#kernel = kernel;
    this.#answering = answering;
  }

  /** Looks through everything from the beginning: a backend has gone, and the rows that lead elsewhere are written. */
  ask(): void {
    this.#isAsked = true;
  }

  /** Looks through one page. @returns whether all has been looked through since the last {@link ask} */
  step(): boolean {
    if (this.#map >= WALKED.length) {
      if (!this.#isAsked) return true;
      this.#isAsked = false;
      this.#map = 0;
      this.#cursor = undefined;
    }
    const map = WALKED[this.#map] ?? WALKED[0];
    const page = this.#kernel.mapPage(map, this.#cursor, PAGE_ROWS);
    if (map === "service_flows") this.#forgetFlows(page.rows);
    else if (map === "service_affinity") this.#forgetLeading(map, page.rows, affinityOf);
    else if (map === "sock_choices") this.#forgetLeading(map, page.rows, choiceOf);
    else this.#endSockets(page.rows);
    this.#cursor = page.next;
    if (page.next === undefined) this.#map++;
    return this.#map >= WALKED.length && !this.#isAsked;
  }

  #forgetFlows(rows: readonly MapRow[]): void {
    const stale = rows.filter(({ key, value }) => {
      if (decodeServiceFlowKey(key).protocol !== UDP) return false;
      const { service, backend, flags } = decodeServiceFlow(value);
      return (flags & ServiceFlowFlag.flowHostPort) === 0 && !this.#answering.isServing(service, backend);
    });
    if (stale.length === 0) return;
    // Both directions: the other one may stand in a page that is past.
    this.#kernel.deleteMapKeys(
      "service_flows",
      stale.flatMap((r) => [r.key, otherFlowKey(r)]),
    );
    this.#kernel.deleteMapKeys("ct_other", stale.flatMap(conntrackKeys));
    this.#count("service_flows", stale.length);
  }

  /** What leads to who gets no new flows. */
  #forgetLeading(map: string, rows: readonly MapRow[], of: (row: MapRow) => Leading): void {
    const stale = rows.filter((row) => {
      const { service, backend } = of(row);
      return !this.#answering.isMember(service, backend);
    });
    if (stale.length === 0) return;
    this.#kernel.deleteMapKeys(
      map,
      stale.map((r) => r.key),
    );
    this.#count(map, stale.length);
  }

  /** What is sent without a connection finds another backend by itself. */
  #endSockets(rows: readonly MapRow[]): void {
    const stale = rows.filter(({ key, value }) => {
      if (decodeSockReverseKey(key).protocol !== UDP) return false;
      const { service, backend, isConnected } = decodeSockReverse(value);
      if (isConnected === 0) return false;
      return service === 0 ? !this.#isHostPort({ key, value }) : !this.#answering.isServing(service, backend);
    });
    if (stale.length === 0) return;
    const cookies = new Set(stale.map((r) => decodeSockReverseKey(r.key).cookie));
    this.#count("sock_reverse", this.#kernel.endSockets(cookies, this.#netnses()));
    this.#kernel.deleteMapKeys(
      "sock_reverse",
      stale.map((r) => r.key),
    );
  }

  /** Whether the port that a socket has asked for is still that of the pod that it talks to. */
  #isHostPort({ key, value }: MapRow): boolean {
    const { addr, port, protocol } = decodeSockReverseKey(key);
    const asked = decodeSockReverse(value);
    const found = hostPortAt(this.#kernel, { addr: asked.addr, port: asked.port, protocol });
    return found !== undefined && found.port === port && bytesEqual(found.addr, addr);
  }

  #count(map: string, entries: number): void {
    this.removed.set(map, (this.removed.get(map) ?? 0) + entries);
  }
}
