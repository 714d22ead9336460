/**
 * What the data plane tells: taken from its ring as it comes, kept for a while, and shown to who follows. Everything is
 * bounded: how much is taken at once, how much is kept, how many follow, and how much waits for each.
 */

import {
  decodeFlowEvent,
  EVENT_KINDS,
  type EventKind,
  type FlowEvent,
  kindOf,
  REASON_OFFSET,
} from "../../flow/event.ts";
import { matchesFilter } from "../../flow/filter.ts";
import { EventHistory } from "../../flow/history.ts";
import { type EventQuery, MAX_LAST } from "../../flow/query.ts";
import { eachRecord, viewOf } from "../../flow/records.ts";
import { type EventNames, isOfPods, tellEvent } from "../../flow/told.ts";
import type { Kernel, Ring } from "../../kernel/kernel.ts";
import { EVENT_BYTES, Metric } from "../../net/gen/bpf-maps.ts";
import { metricSum } from "../../net/per-cpu.ts";
import type { Sink } from "../http.ts";
import type { Log } from "../log.ts";
import { messageOf } from "../reconcile/failures.ts";
import { Follower } from "./follower.ts";

/** Followers at once. */
export const MAX_FOLLOWERS = 16;
/** Taken at one turn of the loop: under a flood of drops the agent has other things to do, too. */
const DRAIN_BYTES = 128 << 10;
/** Between two turns while more waits. */
const PAUSE_MS = 10;
/** Between two looks at what the ring had no room for, while somebody follows. */
const LOSS_MS = 1000;

/** What a watch works on. */
export interface WatchParts {
  readonly kernel: Pick<Kernel, "openRing" | "mapGet">;
  readonly log: Log;
  readonly names: EventNames;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly monotonicNs: () => bigint;
}

/** Figures of a watch. */
export interface EventCounts {
  readonly taken: ReadonlyMap<EventKind, number>;
  /** Records that are no events: a program of another version wrote them. */
  readonly unreadable: number;
  readonly followers: number;
  /** Events that followers were too slow for, since the start. */
  readonly lostToFollowers: number;
}

/** See the file's comment. */
export class EventWatch implements Disposable {
  readonly #parts: WatchParts;
  readonly #history = new EventHistory(MAX_LAST);
  readonly #followers = new Map<Follower, EventQuery>();
  readonly #taken = new Map<EventKind, number>(EVENT_KINDS.map((k) => [k, 0]));
  #unreadable = 0;
  #lostBefore = 0;
  #ring: Ring | undefined;
  /** Tag of the programs that write to it. */
  #programs: string | undefined;
  #isFailing = false;
  #waiting: Disposable | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of what the ring had no room for, as last told. */
  #ringLost = 0;
  #lossTimer: NodeJS.Timeout | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Opens the ring of the programs that are in use; call it after every run. Cheap when nothing has changed. */
  use(programs: string | undefined): void {
    if (programs === undefined || programs === this.#programs) return;
    this.#close();
    try {
      this.#ring = this.#parts.kernel.openRing("events");
      this.#programs = programs;
      this.#isFailing = false;
      this.#wait();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Events that the ring had no room for, since the programs' maps are there. */
  ringLost(): number {
    const value = this.#parts.kernel.mapGet("metrics", new Uint8Array(Uint32Array.of(Metric.eventLost).buffer));
    return value === undefined ? 0 : metricSum(value).packets;
  }

  counts(): EventCounts {
    let lost = this.#lostBefore;
    for (const f of this.#followers.keys()) lost += f.lost;
    return {
      taken: this.#taken,
      unreadable: this.#unreadable,
      followers: this.#followers.size,
      lostToFollowers: lost,
    };
  }

  get hasRoom(): boolean {
    return this.#followers.size < MAX_FOLLOWERS;
  }

  /** The last events that a question asks for, as lines. */
  past(query: EventQuery): string {
    if (query.last === 0) return "";
    return this.#history
      .last(query.last, (e) => this.#isWanted(e, query))
      .map((e) => this.#line(e))
      .join("");
  }

  /** Shows the past and goes on with what comes. @returns ends it */
  follow(query: EventQuery, sink: Sink): Disposable {
    sink.write(this.past(query));
    const follower = new Follower(sink);
    if (this.#followers.size === 0) this.#watchLosses();
    this.#followers.set(follower, query);
    return {
      [Symbol.dispose]: () => {
        if (this.#followers.delete(follower)) this.#lostBefore += follower.lost;
        if (this.#followers.size === 0) clearInterval(this.#lossTimer);
      },
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#lossTimer);
    this.#close();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#waiting?.[Symbol.dispose]();
    this.#ring?.[Symbol.dispose]();
    this.#ring = undefined;
    this.#programs = undefined;
  }

  /** The ring is opened anew after the next run. */
  #fail(cause: unknown): void {
    if (!this.#isFailing) this.#parts.log.error({ failure: messageOf(cause) }, "cannot read what the data plane tells");
    this.#isFailing = true;
    this.#close();
  }

  /** Never throws, as all that the loop calls. */
  #wait(): void {
    try {
      this.#waiting = this.#ring?.whenReadable(() => this.#drain());
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #drain(): void {
    try {
      const bytes = this.#ring?.drain(DRAIN_BYTES);
      if (bytes !== undefined) this.#take(bytes);
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    // Not at once again: under a flood each call then takes many.
    this.#timer = setTimeout(() => this.#wait(), PAUSE_MS);
  }

  #take(bytes: Uint8Array): void {
    const view = viewOf(bytes);
    const rest = eachRecord(view, (offset, length) => {
      if (length !== EVENT_BYTES) {
        this.#unreadable++;
        return;
      }
      const kind = kindOf(view.getUint32(offset + REASON_OFFSET, true));
      this.#taken.set(kind, (this.#taken.get(kind) ?? 0) + 1);
      this.#history.push(bytes, offset);
      if (this.#followers.size > 0) this.#show(decodeFlowEvent(view, offset, length));
    });
    if (rest > 0) this.#unreadable++;
  }

  #show(e: FlowEvent | undefined): void {
    if (e === undefined) return;
    let line: string | undefined;
    for (const [follower, query] of this.#followers)
      if (this.#isWanted(e, query))
        follower.offer(() => {
          line ??= this.#line(e);
          return line;
        });
  }

  #isWanted(e: FlowEvent, query: EventQuery): boolean {
    return matchesFilter(query, e) && isOfPods(e, query.pods, this.#parts.names);
  }

  #line(e: FlowEvent): string {
    const { nowMs, monotonicNs, names } = this.#parts;
    const agoMs = Number((monotonicNs() - e.timeNs) / 1_000_000n);
    return `${JSON.stringify(tellEvent(e, new Date(nowMs() - agoMs).toISOString(), names))}\n`;
  }

  #watchLosses(): void {
    // Before the programs are loaded there is nothing to read, and nothing lost.
    this.#ringLost = this.#programs === undefined ? 0 : this.ringLost();
    this.#lossTimer = setInterval(() => this.#tellLosses(), LOSS_MS);
    this.#lossTimer.unref();
  }

  #tellLosses(): void {
    if (this.#programs === undefined) return;
    try {
      const now = this.ringLost();
      if (now > this.#ringLost) for (const f of this.#followers.keys()) f.tellRingLoss(now - this.#ringLost);
      this.#ringLost = now;
    } catch (cause) {
      this.#parts.log.error({ failure: messageOf(cause) }, "cannot read what the data plane counts");
    }
  }
}
