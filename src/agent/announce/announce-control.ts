/** Announcing by an agent: follows the cluster's tables and the node's devices, owns the sockets and the clock. */

import type { ClusterSource } from "../../cluster/source.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { NeighbourSockets } from "../../kernel/linux/neighbour-sockets.ts";
import type { Addr } from "../../net/addr.ts";
import { prefixOf } from "../../net/prefix.ts";
import type { Underlay } from "../../plan/underlay.ts";
import { planAnnouncements } from "../../service/load-balancer/announce.ts";
import type { ServiceObjects } from "../../service/objects.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
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

/** See the file's comment. Dispose it: nothing is answered any more then. */
export class AnnounceControl implements Disposable {
  readonly #parts: AnnounceParts;
  readonly #announcer: Announcer;
  readonly #sockets: NeighbourSockets;
  readonly #timer: NodeJS.Timeout;
  #seen: readonly unknown[] = [];
  #devices: readonly AnnounceDevice[] = [];
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

  /** Addresses that this node answers for. */
  get announced(): readonly Addr[] {
    return this.#announcer.announced;
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
    const now = [isEnabled(), underlay, tables.services, tables.endpointSlices, tables.nodes];
    if (now.every((x, i) => x === this.#seen[i])) return;
    try {
      const plan = isEnabled() ? planAnnouncements(tables.services, (name) => objects.slices(name), tables.nodes) : [];
      const own = plan.filter((a) => a.nodes.includes(self));
      this.#devices = own.length === 0 ? [] : this.#readDevices(underlay);
      this.#sockets.listen(
        this.#devices,
        own.map((a) => a.addr),
      );
      this.#announcer.update(own, this.#devices);
      this.#seen = now;
      this.#problem = undefined;
    } catch (cause) {
      if (this.#problem !== messageOf(cause)) log.error({ failure: messageOf(cause) }, "cannot announce addresses");
      this.#problem = messageOf(cause);
    }
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
