/**
 * Programs on the socket hooks of a control group: pinned links (Linux 5.7), one for each hook, replaced atomically by
 * BPF_LINK_UPDATE. They end neither with the process nor with what others attach there.
 */

import type { ObservedSocketHook } from "../../plan/row-kinds.ts";
import { SOCKET_HOOKS, type SocketHook, type SocketHookRow } from "../../plan/rows.ts";
import { type Addon, loadAddon } from "./addon.ts";
import { pinOver, socketPin, unpin } from "./bpffs.ts";
import { attempt, isKernelError } from "./failure.ts";
import type { ProgramStore } from "./program-store.ts";

/** Numbers of the hooks (linux/bpf.h, enum bpf_attach_type). */
const ATTACH_TYPES: Readonly<Record<SocketHook, number>> = {
  connect4: 10,
  connect6: 11,
  sendmsg4: 14,
  sendmsg6: 15,
  recvmsg4: 19,
  recvmsg6: 20,
  getpeername4: 29,
  getpeername6: 30,
};

/** Twill's programs on control groups. */
export class SocketHookStore {
  readonly #addon: Addon = loadAddon();
  readonly #programs: ProgramStore;
  readonly #directory: () => string;

  constructor(programs: ProgramStore, directory: () => string) {
    this.#programs = programs;
    this.#directory = directory;
  }

  /** All of Twill's; pins of groups that are gone are removed on the way. */
  all(): ObservedSocketHook[] {
    return SOCKET_HOOKS.flatMap((hook) => {
      const op = `look at ${hook}`;
      const info = this.#withPinned(op, hook, (fd) => attempt(op, () => this.#addon.linkInfo(fd)));
      if (info === undefined) return [];
      if (info.cgroupId !== 0) return [{ hook, groupId: info.cgroupId, ...this.#programs.describe(info.progId) }];
      unpin(socketPin(this.#directory(), hook));
      return [];
    });
  }

  put(row: SocketHookRow): void {
    const op = `attach "${row.program}" to ${row.hook} of "${row.group.path}"`;
    const program = this.#programs.get(op, row.program);
    const isDone = this.#withPinned(op, row.hook, (fd) => {
      const info = attempt(op, () => this.#addon.linkInfo(fd));
      if (info.cgroupId !== row.group.id) return false;
      if (info.progId !== program.id) attempt(op, () => this.#addon.linkUpdate(fd, program.fd));
      return true;
    });
    if (isDone === true) return;
    const pin = socketPin(this.#directory(), row.hook);
    const fd = attempt(op, () => this.#addon.cgroupCreate(row.group.path, program.fd, ATTACH_TYPES[row.hook]));
    try {
      // On another group until now: the new one works before the old one ends.
      this.#withPinned(op, row.hook, (old) => {
        pinOver(op, pin, fd);
        this.#detach(op, old);
        return true;
      }) ?? pinOver(op, pin, fd);
    } finally {
      this.#addon.close(fd);
    }
  }

  delete({ hook }: Pick<SocketHookRow, "hook">): void {
    const op = `detach from ${hook}`;
    this.#withPinned(op, hook, (fd) => this.#detach(op, fd));
    unpin(socketPin(this.#directory(), hook));
  }

  /** Runs with the pinned link's descriptor, which is closed again; undefined: none is pinned. */
  #withPinned<T>(op: string, hook: SocketHook, run: (fd: number) => T): T | undefined {
    const fd = attempt(op, () => this.#addon.objGet(socketPin(this.#directory(), hook)));
    if (fd === undefined) return undefined;
    try {
      return run(fd);
    } finally {
      this.#addon.close(fd);
    }
  }

  #detach(op: string, fd: number): void {
    try {
      attempt(op, () => this.#addon.linkDetach(fd));
    } catch (error) {
      // The group is gone.
      if (!isKernelError(error, "ENOLINK")) throw error;
    }
  }
}
