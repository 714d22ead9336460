/**
 * A netlink socket with a namespace of its own. rtnetlink answers within sendmsg, so an exchange never waits; many
 * changes go in one datagram, of which only the last is acknowledged (failures are always reported).
 */

import { NLM_F, NLMSG } from "../../net/netlink/constants.ts";
import { type NetlinkMessage, readError, readMessages } from "../../net/netlink/reader.ts";
import { NetlinkWriter } from "../../net/netlink/writer.ts";
import { KernelError } from "../kernel.ts";
import { type Addon, loadAddon, type NetnsRef } from "./addon.ts";
import { attempt, errnoName } from "./failure.ts";

/** One change in an exchange. */
export interface Step {
  /** What is being done, as in `add address 10.1.2.3/32 on "eth0"`. */
  readonly op: string;
  readonly write: (w: NetlinkWriter, flags: number, sequence: number) => void;
  /** Errnos that are as good as success here. */
  readonly tolerates?: readonly number[];
}

/** Questions in one datagram: their answers must fit in the socket's receive queue. */
const MAX_QUESTIONS = 64;
/** How often a dump that met a change is begun again. */
const MAX_DUMPS = 20;

/** An open socket; dispose it. */
export class NetlinkSocket implements Disposable {
  readonly #addon: Addon;
  readonly #writer = new NetlinkWriter();
  readonly #netns: NetnsRef | undefined;
  readonly #protocol: number;
  #fd: number;
  #sequence = 1;

  /**
   * @param netns undefined: the calling thread's own
   * @param addon for tests: one whose kernel says what they want
   */
  constructor(netns: NetnsRef | undefined, protocol: number, addon: Addon = loadAddon()) {
    this.#addon = addon;
    this.#netns = netns;
    this.#protocol = protocol;
    this.#fd = attempt(netns === undefined ? "open a netlink socket" : `open a netlink socket in "${netns}"`, () =>
      this.#addon.netlinkOpen(netns, protocol, 0),
    );
  }

  /** Index of a device in the socket's namespace, 0: there is none. */
  ifIndex(name: string): number {
    return attempt(`look up link "${name}"`, () => this.#addon.ifIndex(this.#fd, name));
  }

  /** Name of a device in the socket's namespace. */
  ifName(index: number): string | undefined {
    return attempt(`look up link ${index}`, () => this.#addon.ifName(this.#fd, index));
  }

  /**
   * Makes all changes in one datagram, in order. The kernel goes on after a failure, so the caller undoes what must not
   * stay half made.
   * @throws KernelError of the first step that failed
   */
  change(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    const first = this.#sequence;
    for (const [i, step] of steps.entries())
      this.#write(() => step.write(this.#writer, i === steps.length - 1 ? NLM_F.ACK : 0, first + i));
    this.#sequence = (first + steps.length) >>> 0;
    const last = first + steps.length - 1;
    let failure: KernelError | undefined;
    this.#exchange(steps.at(-1)?.op ?? "", (message) => {
      const step = steps[message.sequence - first];
      const error = step === undefined ? undefined : readError(message);
      if (step === undefined || error === undefined) return false;
      if (error.errno !== 0 && step.tolerates?.includes(error.errno) !== true)
        failure ??= new KernelError(step.op, errnoName(error.errno), error.errno, error.detail);
      return message.sequence === last;
    });
    if (failure !== undefined) throw failure;
  }

  /**
   * Makes one change that deletes the device of an index, and returns when it is no longer there; the kernel goes on
   * tidying up behind.
   */
  deleteDevice(step: Step, index: number): void {
    const sequence = this.#next();
    this.#write(() => step.write(this.#writer, NLM_F.ACK, sequence));
    const message = this.#writer.take();
    const errno = attempt(step.op, () => {
      const fd = this.#addon.netlinkOpen(this.#netns, this.#protocol, 0);
      return this.#addon.netlinkDelete(fd, message, this.#fd, index);
    });
    if (errno !== 0 && step.tolerates?.includes(errno) !== true)
      throw new KernelError(step.op, errnoName(errno), errno);
  }

  /** One question with one answer; undefined when the kernel says that there is no such thing (ENOENT or ENODEV). */
  ask(step: Step): Uint8Array | undefined {
    const sequence = this.#next();
    this.#write(() => step.write(this.#writer, 0, sequence));
    let answer: Uint8Array | undefined;
    this.#exchange(step.op, (message) => {
      if (message.sequence !== sequence) return false;
      const error = readError(message);
      if (error === undefined) answer = message.payload;
      else if (error.errno !== 0 && step.tolerates?.includes(error.errno) !== true)
        throw new KernelError(step.op, errnoName(error.errno), error.errno, error.detail);
      return true;
    });
    return answer;
  }

  /** Many questions, each with one answer or none, in few datagrams. The answers are in the order of the questions. */
  askAll(steps: readonly Step[]): (Uint8Array | undefined)[] {
    const answers = new Array<Uint8Array | undefined>(steps.length).fill(undefined);
    for (let start = 0; start < steps.length; start += MAX_QUESTIONS) {
      const some = steps.slice(start, start + MAX_QUESTIONS);
      const first = this.#sequence;
      for (const [i, step] of some.entries()) this.#write(() => step.write(this.#writer, 0, first + i));
      this.#sequence = (first + some.length) >>> 0;
      let missing = some.length;
      let failure: KernelError | undefined;
      this.#exchange(some[0]?.op ?? "", (message) => {
        const i = message.sequence - first;
        const step = some[i];
        if (step === undefined) return false;
        const error = readError(message);
        if (error === undefined) answers[start + i] = message.payload;
        else if (error.errno !== 0 && step.tolerates?.includes(error.errno) !== true)
          failure ??= new KernelError(step.op, errnoName(error.errno), error.errno, error.detail);
        return --missing === 0;
      });
      if (failure !== undefined) throw failure;
    }
    return answers;
  }

  /** All answers of a dump, from one unchanged state of the kernel. */
  dump<T>(step: Step, read: (payload: Uint8Array) => T | undefined): T[] {
    for (let attempts = 0; attempts < MAX_DUMPS; attempts++) {
      const items: T[] = [];
      if (this.#dumpOnce(step, (payload) => push(items, read(payload)))) return items;
    }
    throw new KernelError(step.op, "EINTR", 4, `changed during each of ${MAX_DUMPS} dumps`);
  }

  /** False: the dump met a change. */
  #dumpOnce(step: Step, onPayload: (payload: Uint8Array) => void): boolean {
    const sequence = this.#next();
    let isConsistent = true;
    this.#write(() => step.write(this.#writer, NLM_F.DUMP, sequence));
    this.#exchange(step.op, (message) => {
      if (message.sequence !== sequence) return false;
      if ((message.flags & NLM_F.DUMP_INTR) !== 0) isConsistent = false;
      const error = readError(message);
      if (error === undefined) {
        if (isConsistent) onPayload(message.payload);
        return false;
      }
      if (error.errno !== 0 && step.tolerates?.includes(error.errno) !== true)
        throw new KernelError(step.op, errnoName(error.errno), error.errno, error.detail);
      return true;
    });
    return isConsistent;
  }

  #next(): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    return sequence;
  }

  #write(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#writer.reset();
      throw error;
    }
  }

  /** Sends what is written and hands on every message until one is said to be the last. */
  #exchange(op: string, onMessage: (message: NetlinkMessage) => boolean): void {
    attempt(op, () => this.#addon.netlinkSend(this.#fd, this.#writer.take()));
    for (;;) {
      const datagram = attempt(op, () => this.#addon.netlinkReceive(this.#fd, true));
      if (datagram === undefined) throw new KernelError(op, "ETIMEDOUT", 110, "no answer by netlink");
      for (const message of readMessages(datagram).messages)
        if (message.type !== NLMSG.NOOP && onMessage(message)) return;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    this.#addon.close(this.#fd);
    this.#fd = -1;
  }
}

function push<T>(items: T[], item: T | undefined): void {
  if (item !== undefined) items.push(item);
}
