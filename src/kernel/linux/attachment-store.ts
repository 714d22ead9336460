/**
 * Programs on devices: as pinned tcx links (Linux 6.6), replaced atomically by BPF_LINK_UPDATE, or as clsact filters,
 * replaced atomically by RTM_NEWTFILTER. Neither ends with the process. Making a tcx link waits for an RCU grace period;
 * rows that cannot wait ask for clsact, and kernels without tcx have nothing else.
 */

import { NLM_F } from "../../net/netlink/constants.ts";
import {
  type Hook,
  isOwnFilter,
  readFilter,
  writeDelFilter,
  writeGetFilter,
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
/** No filter, no clsact, another kind of filter in its place, or no device. */
const NO_FILTER = [ERRNO.ENOENT, ERRNO.EINVAL, ERRNO.ENODEV, ERRNO.EOPNOTSUPP];

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
  /** "auto": tcx where the kernel has it and the row does not ask for clsact. */
  readonly attachBy: AttachBy | "auto";
  /** All devices, for clsact, which keeps no list of its own. */
  readonly links: () => readonly { readonly name: string; readonly ifindex: number }[];
}

/** Twill's attachments in the node's namespace. */
export class AttachmentStore {
  readonly #addon: Addon = loadAddon();
  readonly #context: AttachmentContext;
  #supportsTcx: boolean | undefined;

  constructor(context: AttachmentContext) {
    this.#context = context;
    if (context.attachBy !== "auto") this.#supportsTcx = context.attachBy === "tcx";
  }

  /** All of Twill's; pins of devices that are gone are removed on the way. */
  all(): Attachment[] {
    const byTcx = this.#hasTcx ? this.#allTcx() : [];
    if (this.#context.attachBy === "tcx") return byTcx;
    const hooks = new Set(byTcx.map((a) => `${a.link} ${a.direction}`));
    return [...byTcx, ...this.#allClsact().filter((a) => !hooks.has(`${a.link} ${a.direction}`))];
  }

  put(row: AttachRow): void {
    const op = `attach "${row.program}" to ${row.direction} of "${row.link}"`;
    const program = this.#context.programs.get(op, row.program);
    const ifindex = this.#context.socket.ifIndex(row.link);
    if (ifindex === 0) throw new KernelError(op, "ENODEV", ERRNO.ENODEV, `no link "${row.link}"`);
    if (this.#hasTcx && this.#updateTcx(op, row, program, ifindex)) return;
    if (!this.#hasTcx || (row.by === "clsact" && this.#context.attachBy === "auto")) {
      this.#putClsact(op, row, program, ifindex);
      return;
    }
    this.#createTcx(op, row, program, ifindex);
    // The link runs before a filter and decides: the filter of an earlier choice has nothing left to do.
    this.#deleteFilter(op, ifindex, row.direction);
  }

  delete(row: Pick<AttachRow, "link" | "direction">): void {
    const op = `detach from ${row.direction} of "${row.link}"`;
    const pin = linkPin(this.#context.directory(), row.link, row.direction);
    const fd = attempt(op, () => this.#addon.objGet(pin.path));
    if (fd !== undefined) this.#detach(op, fd);
    unpin(pin.path);
    const index = this.#context.socket.ifIndex(row.link);
    if (index !== 0) this.#deleteFilter(op, index, row.direction);
  }

  #detach(op: string, fd: number): void {
    try {
      attempt(op, () => this.#addon.linkDetach(fd));
    } catch (error) {
      // The device is gone.
      if (!isKernelError(error, "ENOLINK")) throw error;
    } finally {
      this.#addon.close(fd);
    }
  }

  #deleteFilter(op: string, index: number, hook: Hook): void {
    this.#context.socket.change([
      { op, write: (w, flags, sequence) => writeDelFilter(w, { index, hook, flags, sequence }), tolerates: NO_FILTER },
    ]);
  }

  /** Forgets the pins of a device that is being removed. */
  forget(link: string): void {
    for (const direction of DIRECTIONS) unpin(linkPin(this.#context.directory(), link, direction).path);
  }

  get #hasTcx(): boolean {
    if (this.#supportsTcx !== undefined) return this.#supportsTcx;
    const lo = this.#context.socket.ifIndex("lo");
    try {
      attempt("look for tcx", () => this.#addon.tcxQuery(this.#context.netnsFd, lo, TCX.ingress));
      this.#supportsTcx = true;
    } catch (error) {
      if (!isKernelError(error, "EINVAL")) throw error;
      this.#supportsTcx = false;
    }
    return this.#supportsTcx;
  }

  #describe(link: string, direction: "ingress" | "egress", programId: number): Attachment {
    return { link, direction, ...this.#context.programs.describe(programId) };
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

  /** False: no link is there to be updated. */
  #updateTcx(op: string, row: AttachRow, program: LoadedProgram, ifindex: number): boolean {
    const pin = linkPin(this.#context.directory(), row.link, row.direction);
    const existing = attempt(op, () => this.#addon.objGet(pin.path));
    if (existing === undefined) return false;
    try {
      const info = attempt(op, () => this.#addon.linkInfo(existing));
      const isThere = info.ifindex === ifindex;
      if (isThere && info.progId !== program.id) attempt(op, () => this.#addon.linkUpdate(existing, program.fd));
      if (!isThere) unpin(pin.path);
      return isThere;
    } finally {
      this.#addon.close(existing);
    }
  }

  #createTcx(op: string, row: AttachRow, program: LoadedProgram, ifindex: number): void {
    const pin = linkPin(this.#context.directory(), row.link, row.direction);
    const fd = attempt(op, () => this.#addon.tcxCreate(this.#context.netnsFd, program.fd, ifindex, TCX[row.direction]));
    try {
      attempt(op, () => this.#addon.objPin(fd, pin.path));
    } finally {
      this.#addon.close(fd);
    }
  }

  #putClsact(op: string, row: AttachRow, program: LoadedProgram, index: number): void {
    if (!this.#hasTcx) unpin(linkPin(this.#context.directory(), row.link, row.direction).path);
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
    const hooks = this.#context.links().flatMap((link) => DIRECTIONS.map((hook) => ({ link, hook })));
    const answers = this.#context.socket.askAll(
      hooks.map(({ link, hook }) => ({
        op: `look at the filter of "${link.name}"`,
        write: (w, flags, sequence) => writeGetFilter(w, { index: link.ifindex, hook, flags, sequence }),
        tolerates: NO_FILTER,
      })),
    );
    return hooks.flatMap(({ link, hook }, i) => {
      const answer = answers[i];
      const filter = answer === undefined ? undefined : readFilter(answer);
      const isTwills = filter?.name.startsWith(FILTER_PREFIX) === true && isOwnFilter(filter);
      return isTwills && filter.programId !== undefined ? [this.#describe(link.name, hook, filter.programId)] : [];
    });
  }
}
