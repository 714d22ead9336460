/**
 * Programs on devices. By tcx (Linux 6.6) each is a pinned link, replaced atomically by BPF_LINK_UPDATE; on older kernels
 * a clsact filter, replaced atomically by RTM_NEWTFILTER. Neither ends with the process.
 */

import { NLM_F } from "../../net/netlink/constants.ts";
import {
  isOwnFilter,
  readFilter,
  writeDelFilter,
  writeGetFilters,
  writeNewClsact,
  writeNewFilter,
} from "../../net/netlink/traffic-control.ts";
import type { AttachRow } from "../../plan/rows.ts";
import { KernelError } from "../kernel.ts";
import { type Addon, loadAddon } from "./addon.ts";
import { type LinkPin, linkPin, linkPins, unpin } from "./bpffs.ts";
import { attempt, ERRNO, isKernelError } from "./failure.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import type { LoadedProgram, ProgramStore } from "./program-store.ts";

/** BPF attach types of the two tcx hooks. */
const TCX = { ingress: 46, egress: 47 } as const;
const FILTER_PREFIX = "twill:";
const DIRECTIONS = ["ingress", "egress"] as const;

/** How programs are attached. */
export type AttachBy = "tcx" | "clsact";

/** An attachment as the kernel shows it. */
export type Attachment = AttachRow & { readonly isCurrent: boolean };

/** What the store works with. */
export interface AttachmentContext {
  readonly socket: NetlinkSocket;
  /** The node's namespace; undefined: that of the calling thread. */
  readonly netnsFd: number | undefined;
  readonly programs: ProgramStore;
  readonly directory: () => string;
  /** "auto": tcx where the kernel has it. */
  readonly attachBy: AttachBy | "auto";
  /** All devices, for clsact, which keeps no list of its own. */
  readonly linkNames: () => readonly string[];
}

/** Twill's attachments in the node's namespace. */
export class AttachmentStore {
  readonly #addon: Addon = loadAddon();
  readonly #context: AttachmentContext;
  #attachBy: AttachBy | undefined;

  constructor(context: AttachmentContext) {
    this.#context = context;
    this.#attachBy = context.attachBy === "auto" ? undefined : context.attachBy;
  }

  /** The way that is in use; found out at the first call. */
  get attachBy(): AttachBy {
    this.#attachBy ??= this.#hasTcx() ? "tcx" : "clsact";
    return this.#attachBy;
  }

  /** All of Twill's; pins of devices that are gone are removed on the way. */
  all(): Attachment[] {
    return this.attachBy === "tcx" ? this.#allTcx() : this.#allClsact();
  }

  put(row: AttachRow): void {
    const op = `attach "${row.program}" to ${row.direction} of "${row.link}"`;
    const program = this.#context.programs.get(op, row.program);
    const ifindex = this.#context.socket.ifIndex(row.link);
    if (ifindex === 0) throw new KernelError(op, "ENODEV", ERRNO.ENODEV, `no link "${row.link}"`);
    if (this.attachBy === "tcx") this.#putTcx(op, row, program, ifindex);
    else this.#putClsact(op, row, program, ifindex);
  }

  delete(row: Pick<AttachRow, "link" | "direction">): void {
    const op = `detach from ${row.direction} of "${row.link}"`;
    unpin(linkPin(this.#context.directory(), row.link, row.direction).path);
    if (this.attachBy === "tcx") return;
    const index = this.#context.socket.ifIndex(row.link);
    if (index === 0) return;
    this.#context.socket.change([
      {
        op,
        write: (w, flags, sequence) => writeDelFilter(w, { index, hook: row.direction, flags, sequence }),
        tolerates: [ERRNO.ENOENT, ERRNO.EINVAL, ERRNO.ENODEV],
      },
    ]);
  }

  /** Forgets the pins of a device that is being removed. */
  forget(link: string): void {
    for (const direction of DIRECTIONS) unpin(linkPin(this.#context.directory(), link, direction).path);
  }

  #hasTcx(): boolean {
    const lo = this.#context.socket.ifIndex("lo");
    try {
      attempt("look for tcx", () => this.#addon.tcxQuery(this.#context.netnsFd, lo, TCX.ingress));
      return true;
    } catch (error) {
      if (isKernelError(error, "EINVAL")) return false;
      throw error;
    }
  }

  #describe(link: string, direction: "ingress" | "egress", programId: number): Attachment {
    for (const program of this.#context.programs.all().values())
      if (program.id === programId) return { link, direction, program: program.name, isCurrent: true };
    const fd = attempt("describe a program", () => this.#addon.progById(programId));
    const name = fd === undefined ? "" : this.#addon.progInfo(fd).name;
    if (fd !== undefined) this.#addon.close(fd);
    return { link, direction, program: name, isCurrent: false };
  }

  #allTcx(): Attachment[] {
    const attachments: Attachment[] = [];
    for (const pin of linkPins(this.#context.directory())) {
      const info = this.#pinnedLink(pin);
      if (info === undefined) continue;
      const isThere = info.ifindex !== 0 && this.#context.socket.ifIndex(pin.link) === info.ifindex;
      if (isThere) attachments.push(this.#describe(pin.link, pin.direction, info.progId));
      else unpin(pin.path);
    }
    return attachments;
  }

  /** What the kernel says of a pinned link, which is closed again. */
  #pinnedLink(pin: LinkPin): ReturnType<Addon["linkInfo"]> | undefined {
    const op = `look at the link of "${pin.link}"`;
    const fd = attempt(op, () => this.#addon.objGet(pin.path));
    if (fd === undefined) return undefined;
    try {
      return attempt(op, () => this.#addon.linkInfo(fd));
    } finally {
      this.#addon.close(fd);
    }
  }

  #putTcx(op: string, row: AttachRow, program: LoadedProgram, ifindex: number): void {
    const pin = linkPin(this.#context.directory(), row.link, row.direction);
    const existing = attempt(op, () => this.#addon.objGet(pin.path));
    if (existing !== undefined) {
      try {
        const info = attempt(op, () => this.#addon.linkInfo(existing));
        if (info.ifindex === ifindex) {
          if (info.progId !== program.id) attempt(op, () => this.#addon.linkUpdate(existing, program.fd));
          return;
        }
      } finally {
        this.#addon.close(existing);
      }
      unpin(pin.path);
    }
    const fd = attempt(op, () => this.#addon.tcxCreate(this.#context.netnsFd, program.fd, ifindex, TCX[row.direction]));
    try {
      attempt(op, () => this.#addon.objPin(fd, pin.path));
    } finally {
      this.#addon.close(fd);
    }
  }

  #putClsact(op: string, row: AttachRow, program: LoadedProgram, index: number): void {
    unpin(linkPin(this.#context.directory(), row.link, row.direction).path);
    this.#context.socket.change([
      {
        op,
        write: (w, flags, sequence) => writeNewClsact(w, index, flags | NLM_F.CREATE | NLM_F.EXCL, sequence),
        tolerates: [ERRNO.EEXIST],
      },
      {
        op,
        write: (w, flags, sequence) =>
          writeNewFilter(w, {
            index,
            hook: row.direction,
            programFd: program.fd,
            name: `${FILTER_PREFIX}${row.program}`,
            flags: flags | NLM_F.CREATE | NLM_F.REPLACE,
            sequence,
          }),
      },
    ]);
  }

  #allClsact(): Attachment[] {
    const attachments: Attachment[] = [];
    for (const link of this.#context.linkNames()) {
      const index = this.#context.socket.ifIndex(link);
      if (index === 0) continue;
      for (const hook of DIRECTIONS) {
        const filters = this.#context.socket.dump(
          {
            op: `list filters of "${link}"`,
            write: (w, flags, sequence) => writeGetFilters(w, { index, hook, flags, sequence }),
            // No clsact on this device, or the device is gone.
            tolerates: [ERRNO.EINVAL, ERRNO.ENOENT, ERRNO.ENODEV],
          },
          readFilter,
        );
        for (const filter of filters) {
          const isTwills = filter.name.startsWith(FILTER_PREFIX) && isOwnFilter(filter);
          if (isTwills && filter.programId !== undefined)
            attachments.push(this.#describe(link, hook, filter.programId));
        }
      }
    }
    return attachments;
  }
}
