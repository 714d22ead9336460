/** A pinned ring buffer, mapped into this process and watched by its event loop. */

import { KernelError, type Ring } from "../kernel.ts";
import { type Addon, loadAddon, type PollHandle, type RingHandle } from "./addon.ts";
import { mapPin } from "./bpffs.ts";
import { attempt, ERRNO } from "./failure.ts";

const READABLE = 1;

/** See Kernel.openRing. */
export function openRing(pinDirectory: string, name: string): Ring {
  const addon = loadAddon();
  const op = `open ring "${name}"`;
  const fd = /^[A-Za-z0-9_]+$/.test(name) ? attempt(op, () => addon.objGet(mapPin(pinDirectory, name))) : undefined;
  if (fd === undefined)
    throw new KernelError(op, "ENOENT", ERRNO.ENOENT, `no map is pinned below "${pinDirectory}" by that name`);
  try {
    return new LinuxRing(
      addon,
      fd,
      name,
      attempt(op, () => addon.ringOpen(fd)),
    );
  } catch (error) {
    addon.close(fd);
    throw error;
  }
}

class LinuxRing implements Ring {
  readonly #addon: Addon;
  readonly #fd: number;
  readonly #name: string;
  readonly #ring: RingHandle;
  readonly #listeners = new Set<{ readonly call: () => void }>();
  #poll: PollHandle | undefined;
  #isDisposed = false;

  constructor(addon: Addon, fd: number, name: string, ring: RingHandle) {
    this.#addon = addon;
    this.#fd = fd;
    this.#name = name;
    this.#ring = ring;
  }

  drain(maxBytes: number): Uint8Array {
    return attempt(`drain ring "${this.#name}"`, () => this.#addon.ringDrain(this.#ring, maxBytes));
  }

  pendingBytes(): number {
    return attempt(`look at ring "${this.#name}"`, () => this.#addon.ringPending(this.#ring));
  }

  whenReadable(listener: () => void): Disposable {
    // An object of its own: the same function may wait twice.
    const waiting = { call: listener };
    this.#listeners.add(waiting);
    // A loop watches a descriptor only once.
    this.#poll ??= attempt(`wait for ring "${this.#name}"`, () =>
      this.#addon.pollStart(this.#fd, READABLE, () => {
        const all = [...this.#listeners];
        this.#listeners.clear();
        this.#stop();
        for (const { call } of all) call();
      }),
    );
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(waiting);
        if (this.#listeners.size === 0) this.#stop();
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#listeners.clear();
    this.#stop();
    this.#addon.ringClose(this.#ring);
    this.#addon.close(this.#fd);
  }

  /** Readable for as long as something waits: left running, the poll would call at every turn of the loop. */
  #stop(): void {
    if (this.#poll !== undefined) this.#addon.pollStop(this.#poll);
    this.#poll = undefined;
  }
}
