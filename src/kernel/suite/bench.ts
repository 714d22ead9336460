/** What the behaviour suite needs of an implementation besides the contract itself. */

import type { Kernel } from "../kernel.ts";

/** One machine with one node, fresh for each test. */
export interface KernelBench extends Disposable {
  readonly kernel: Kernel;
  readonly pinDirectory: string;
  /** Two versions of the data plane: same maps, different programs. */
  readonly objects: readonly [Uint8Array, Uint8Array];
  /** The data plane itself: its `from_pod` drops each packet, and says so in the ring `events`, until the node is configured. */
  readonly realObject: Uint8Array;
  /** Shows so many packets to the loaded `from_pod`. */
  runFromPod(packets: number): void;
  /** Another kernel on the same machine, as a process that starts later has it. Disposed with the bench. */
  reopen(): Kernel;
  /** A fresh network namespace; the path leads to it until {@link removeNetns}. */
  addNetns(): string;
  /** A second path to the same namespace. */
  aliasNetns(path: string): string;
  removeNetns(path: string): void;
  /** Path of a fresh control group, at a path that was one's before if given; undefined: this machine lets nobody make one. */
  addGroup(path?: string): string | undefined;
  removeGroup(path: string): void;
}
