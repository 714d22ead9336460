/** Announcing by an agent: follows the cluster's tables and the node's devices, owns the sockets and the clock. */

import type { ClusterSource } from "../../cluster/source.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { NeighbourSockets } from "../../kernel/linux/neighbour-sockets.ts";
import type { Service } from "../../model/service.ts";
import type { Addr } from "../../net/addr.ts";
import { prefixOf } from "../../net/prefix.ts";
import type { Underlay } from "../../plan/underlay.ts";
import { planAnnouncements } from "../../service/load-balancer/announce.ts";
import { isServed } from "../../service/load-balancer/wish.ts";
import type { ServiceObjects } from "../../service/objects.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import type { AnnounceCounts } from "./announce-counts.ts";
import { type AnnounceDevice, Announcer, TICK_MS } from "./announcer.ts";

/** What it works on. */
export interface AnnounceParts {
  readonly kernel: Pick<Kernel, "links">;
  readonly source: Pick<ClusterSource, "snapshot">;
  readonly log: Log;
  /** This node's name. */
  readonly self: string;
  readonly isEnabled: () => boolean;
  /** Services and their slices; undefined: not known. */
  readonly objects: () => ServiceObjects | undefined;
  /** The node's devices to the network; undefined: not known. */
  readonly underlay: () => Pick<Underlay, "devices"> | undefined;
}

/** How an address is announced. */
export interface AnnounceState {
  /** In their order: the first one is to, the others stand by. Empty: no node has a backend. */
  readonly nodes: readonly string[];
  /** undefined: this node is none of them. */
  readonly here: "held" | "standby" | undefined;
}

const NONE: readonly Service[] = [];

/** See the file's comment. Dispose it: nothing is answered any more then. */
export class AnnounceControl implements Disposable {
  readonly #parts: AnnounceParts;
  readonly #announcer: Announcer;
  readonly #sockets: NeighbourSockets;
  readonly #timer: NodeJS.Timeout;
  #seen: readonly unknown[] = [];
  #served: { readonly table: Iterable<Service>; readonly services: readonly Service[] } = {
    table: NONE,
    services: NONE,
  };
  #devices: readonly AnnounceDevice[] = [];
  #nodes: ReadonlyMap<string, readonly string[]> = new Map();
  #problem: string | undefined;

  constructor(parts: AnnounceParts) {
    this.#parts = parts;
    const by = (ifindex: number) => this.#devices.find((d) => d.ifindex === ifindex);
    this.#sockets = new NeighbourSockets(undefined, {
      arp: (ifindex, frame) => {
        const device = by(ifindex);
        if (device !== undefined) this.#announcer.takeArp(device, frame);
      },
      icmp6: (ifindex, from, message) => {
        const device = by(ifindex);
        if (device !== undefined) this.#announcer.takeIcmp6(device, from, message);
      },
    });
    const wire = { send: (device: AnnounceDevice, frame: Uint8Array) => this.#sockets.send(device, frame) };
    this.#announcer = new Announcer(parts.self, wire, parts.log, () => performance.now());
    this.#timer = setInterval(() => this.#announcer.tick(), TICK_MS);
    this.#timer.unref();
  }

  /** What was done until now. */
  counts(): AnnounceCounts {
    return this.#announcer.counts();
  }

  /** Who is to announce an address, and what this node does about it; undefined: nobody announces it. */
  stateOf(addr: Addr): AnnounceState | undefined {
    const nodes = this.#nodes.get(addr.text);
    return nodes && { nodes, here: this.#announcer.stateOf(addr) };
  }

  /** Why nothing is announced; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** After every change of objects and every run. Cheap when nothing of it concerns addresses. */
  update(): void {
    const { source, self, isEnabled, objects: objectsNow, underlay: underlayNow, log } = this.#parts;
    const [objects, underlay] = [objectsNow(), underlayNow()];
    if (objects === undefined || underlay === undefined) return;
    const { tables } = source.snapshot();
    const served = isEnabled() ? this.#servedIn(tables.services) : NONE;
    // Slices and nodes change all the time: most of it concerns no address.
    const slices = served.some((s) => s.isOutsideLocal) ? tables.endpointSlices : undefined;
    const now = [served, underlay, slices, served.length === 0 ? undefined : tables.nodes];
    if (now.every((x, i) => x === this.#seen[i])) return;
    try {
      const plan = planAnnouncements(served, (name) => objects.slices(name), tables.nodes);
      const own = plan.filter((a) => a.nodes.includes(self));
      this.#devices = own.length === 0 ? [] : this.#readDevices(underlay);
      this.#sockets.listen(
        this.#devices,
        own.map((a) => a.addr),
      );
      this.#announcer.update(own, this.#devices);
      this.#nodes = new Map(plan.map((a) => [a.addr.text, a.nodes]));
      this.#seen = now;
      this.#problem = undefined;
    } catch (cause) {
      if (this.#problem !== messageOf(cause)) log.error({ failure: messageOf(cause) }, "cannot announce addresses");
      this.#problem = messageOf(cause);
    }
  }

  /** Those that Twill gives addresses to: the same list for the same table, and as long as there are none. */
  #servedIn(table: Iterable<Service>): readonly Service[] {
    if (this.#served.table === table) return this.#served.services;
    const services = [...table].filter(isServed);
    this.#served = { table, services: services.length === 0 ? NONE : services };
    return this.#served.services;
  }

  #readDevices({ devices }: Pick<Underlay, "devices">): AnnounceDevice[] {
    const macs = new Map(this.#parts.kernel.links().map((l) => [l.ifindex, l.mac]));
    return devices.flatMap(({ name, ifindex, addrs }) => {
      const mac = macs.get(ifindex);
      return mac === undefined
        ? []
        : [{ name, ifindex, mac, prefixes: addrs.map(({ addr, length }) => prefixOf(addr, length)) }];
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#sockets[Symbol.dispose]();
  }
}
