/**
 * Answers ARP and neighbour solicitations for the addresses that this node announces, and takes over those whose node is silent.
 *
 * Who stands by asks the network for the address itself, once a second: it hears whether somebody answers, whatever it is that fails,
 * the node, its link or its agent. After some seconds of silence it answers by itself and tells everybody; when
 * it hears another again, it steps back. So a fail-over needs neither the API nor a clock that two nodes share.
 */

import type { Addr } from "../../net/addr.ts";
import type { Mac } from "../../net/mac.ts";
import { arpAnnouncement, arpProbe, arpReply, readArp } from "../../net/neighbour/arp.ts";
import { advertisement, probeSolicitation, readNeighbour } from "../../net/neighbour/discovery.ts";
import { type Prefix, prefixHas } from "../../net/prefix.ts";
import type { Announcement } from "../../service/load-balancer/announce.ts";
import type { Log } from "../log.ts";
import { type AnnounceChange, type AnnounceCounts, type AnnounceFrame, NO_ANNOUNCEMENTS } from "./announce-counts.ts";

/** A device to the network in which addresses are announced. */
export interface AnnounceDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Mac;
  /** Networks that the node is in through it. */
  readonly prefixes: readonly Prefix[];
}

/** What an announcer sends by. */
export interface AnnounceWire {
  /** A whole frame; what cannot be sent is lost, as on any network. @returns whether the device took it */
  send(device: AnnounceDevice, frame: Uint8Array): boolean;
}

/** Between two looks at what is silent. */
export const TICK_MS = 1_000;
/** Who is next takes over after so long a silence, who follows after as much again. */
const SILENCE_MS = 2_500;
/** When everybody is told of a take-over, after it: caches may miss one, and another may have answered until just now. */
const TELL_AFTER_MS = [0, 1_000, 3_000, 7_000] as const;
/** Frames in one tick of probes and of tellings each: a node with thousands of addresses is no storm. */
const FRAMES_MAX = 128;

interface Entry {
  readonly addr: Addr;
  readonly nodes: string;
  /** 0: this node is to announce it. */
  readonly rank: number;
  isAnnounced: boolean;
  heardMs: number;
  announcedMs: number;
  told: number;
}

/** See the file's comment. */
export class Announcer {
  readonly #self: string;
  readonly #wire: AnnounceWire;
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, Entry>();
  #devices: readonly AnnounceDevice[] = [];
  readonly #changes: Record<AnnounceChange, number> = { ...NO_ANNOUNCEMENTS.changes };
  readonly #frames: Record<AnnounceFrame, number> = { ...NO_ANNOUNCEMENTS.frames };
  #turn = 0;

  /** @param nowMs a monotonic clock, milliseconds */
  constructor(self: string, wire: AnnounceWire, log: Log, nowMs: () => number) {
    this.#self = self;
    this.#wire = wire;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Addresses that this node answers for. */
  get announced(): readonly Addr[] {
    return [...this.#entries.values()].filter((e) => e.isAnnounced).map((e) => e.addr);
  }

  /** What it has done until now. */
  counts(): AnnounceCounts {
    const held = this.announced.length;
    const standby = this.#entries.size - held;
    return { held, standby, changes: { ...this.#changes }, frames: { ...this.#frames } };
  }

  /** Whether this node answers for an address or stands by for it; undefined: neither. */
  stateOf(addr: Addr): "held" | "standby" | undefined {
    const entry = this.#entries.get(addr.text);
    return entry === undefined ? undefined : entry.isAnnounced ? "held" : "standby";
  }

  /** Takes over the whole of what is to be announced, and by which devices. */
  update(plan: readonly Announcement[], devices: readonly AnnounceDevice[]): void {
    const hadDevices = this.#devices;
    this.#devices = devices;
    const now = this.#nowMs();
    if (devices.some((d) => !hadDevices.some((h) => h.ifindex === d.ifindex && h.mac === d.mac))) this.#tellAgain(now);
    const wanted = new Map(plan.filter((a) => a.nodes.includes(this.#self)).map((a) => [a.addr.text, a]));
    for (const [text, entry] of this.#entries) if (!wanted.has(text)) this.#withdraw(text, entry);
    for (const [text, { addr, nodes }] of wanted) {
      const known = this.#entries.get(text);
      if (known?.nodes === nodes.join()) continue;
      const rank = nodes.indexOf(this.#self);
      // Whoever answered last is still heard of: nothing is taken over for a change of the order alone.
      const entry: Entry = {
        addr,
        nodes: nodes.join(),
        rank,
        isAnnounced: known?.isAnnounced ?? false,
        heardMs: now,
        announcedMs: known?.announcedMs ?? now,
        told: known?.told ?? 0,
      };
      this.#entries.set(text, entry);
      if (rank === 0 && !entry.isAnnounced) this.#take(entry, now);
    }
  }

  /** Looks at what is silent, asks after it, and tells what was taken over. To be called every {@link TICK_MS}. */
  tick(): void {
    const now = this.#nowMs();
    let told = 0;
    const standing: Entry[] = [];
    for (const e of this.#entries.values()) {
      if (e.rank > 0) standing.push(e);
      if (e.rank > 0 && !e.isAnnounced && now - e.heardMs >= SILENCE_MS * e.rank) this.#take(e, now);
      const due = TELL_AFTER_MS[e.told];
      if (e.isAnnounced && due !== undefined && now - e.announcedMs >= due && told++ < FRAMES_MAX) this.#tell(e);
    }
    const count = Math.min(standing.length, FRAMES_MAX);
    for (let i = 0; i < count; i++) this.#probe(standing[(this.#turn + i) % standing.length]);
    this.#turn = standing.length === 0 ? 0 : (this.#turn + count) % standing.length;
  }

  /** A frame of ARP that came in by a device. */
  takeArp(device: AnnounceDevice, frame: Uint8Array): void {
    const arp = readArp(frame);
    if (arp === undefined || this.#isOwn(arp.senderMac)) return;
    this.#hear(arp.sender);
    const asked = arp.operation === "request" ? this.#entries.get(arp.target.text) : undefined;
    if (asked?.isAnnounced !== true || arp.sender.text === arp.target.text || !this.#isBy(asked, device)) return;
    this.#send("arp_answer", device, arpReply(device.mac, arp));
  }

  /** An ICMPv6 message that came in by a device. @param from `::`: it has no address yet */
  takeIcmp6(device: AnnounceDevice, from: Addr, bytes: Uint8Array): void {
    const message = readNeighbour(bytes);
    if (message === undefined || (message.mac !== undefined && this.#isOwn(message.mac))) return;
    if (message.kind === "advertisement") {
      this.#hear(message.target);
      return;
    }
    const asked = this.#entries.get(message.target.text);
    if (asked?.isAnnounced !== true || !this.#isBy(asked, device)) return;
    const asker = from.text === "::" || message.mac === undefined ? undefined : { addr: from, mac: message.mac };
    this.#send("nd_answer", device, advertisement(device.mac, asked.addr, asker));
  }

  /** Somebody else has the address. */
  #hear(addr: Addr): void {
    const e = this.#entries.get(addr.text);
    if (e === undefined || e.rank === 0) return;
    e.heardMs = this.#nowMs();
    if (!e.isAnnounced) return;
    e.isAnnounced = false;
    this.#changes.given_back++;
    this.#log.info({ addrs: [e.addr.text] }, "announces an address no longer: another node does");
  }

  #take(e: Entry, now: number): void {
    e.isAnnounced = true;
    e.announcedMs = now;
    e.told = 0;
    this.#changes[e.rank === 0 ? "taken" : "taken_over"]++;
    const fields = { addrs: [e.addr.text] };
    if (e.rank === 0) this.#log.info(fields, "announces an address");
    else this.#log.warn(fields, "announces an address, since the node before it is silent");
    this.#tell(e);
  }

  #withdraw(text: string, e: Entry): void {
    this.#entries.delete(text);
    if (!e.isAnnounced) return;
    this.#changes.withdrawn++;
    this.#log.info({ addrs: [text] }, "announces an address no longer");
  }

  #tellAgain(now: number): void {
    for (const e of this.#entries.values()) {
      if (!e.isAnnounced) continue;
      e.announcedMs = now;
      e.told = 0;
    }
  }

  #tell(e: Entry): void {
    e.told++;
    for (const d of this.#devices) {
      if (!this.#isBy(e, d)) continue;
      if (e.addr.family === 4) this.#send("arp_announcement", d, arpAnnouncement(d.mac, e.addr));
      else this.#send("nd_announcement", d, advertisement(d.mac, e.addr, undefined));
    }
  }

  #probe(e: Entry | undefined): void {
    if (e === undefined) return;
    for (const d of this.#devices) {
      if (!this.#isBy(e, d)) continue;
      if (e.addr.family === 4) this.#send("arp_probe", d, arpProbe(d.mac, e.addr));
      else this.#send("nd_probe", d, probeSolicitation(d.mac, e.addr));
    }
  }

  #send(kind: AnnounceFrame, device: AnnounceDevice, frame: Uint8Array): void {
    this.#frames[this.#wire.send(device, frame) ? kind : "unsent"]++;
  }

  /** By the devices whose network the address is of; by all where it is of none. */
  #isBy(e: Entry, device: AnnounceDevice): boolean {
    const has = (d: AnnounceDevice) => d.prefixes.some((p) => prefixHas(p, e.addr));
    return has(device) || !this.#devices.some(has);
  }

  #isOwn(mac: Mac): boolean {
    return this.#devices.some((d) => d.mac === mac);
  }
}
