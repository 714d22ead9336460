/**
 * Looks for the addresses that other nodes are to reach this one by, where the Node object's InternalIPs are not to count or are of one
 * family only, and says what to announce. What cannot be found changes nothing: an announced address stays until there is another.
 */

import { createSocket } from "node:dgram";
import { isDeepStrictEqual } from "node:util";
import type { Issue } from "../base/issue.ts";
import { ok, type Result } from "../base/result.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Labels } from "../model/intern.ts";
import { announcedAddrs, type Node } from "../model/node.ts";
import { type Addr, type Family, parseAddr } from "../net/addr.ts";
import { isPodDevice } from "../plan/names.ts";
import { type AddressMethod, findNodeAddress, unreportedAddress } from "../plan/node-address.ts";
import { messageOf } from "./reconcile/failures.ts";

const FAMILIES = [4, 6] as const;
/** Any: connecting a UDP socket sends nothing. */
const PORT = 9;

/** The source that the kernel chooses for packets to an address; undefined: it has no way there. */
export function sourceTo(to: Addr): Promise<Addr | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(to.family === 4 ? "udp4" : "udp6");
    const end = (found: Addr | undefined) => {
      socket.close();
      resolve(found);
    };
    socket.once("error", () => end(undefined));
    socket.connect(PORT, to.text, (error?: unknown) => {
      if (error !== undefined && error !== null) return end(undefined);
      const own = parseAddr(socket.address().address);
      end(own.ok ? own.value : undefined);
    });
  });
}

/** Whether a node has pods of a family in which its object names no address, and names one of the other. */
function isUnreported(node: Node | undefined, family: Family): boolean {
  if (node === undefined || node.reportedIps.length === 0) return false;
  return node.podCidrs.some((c) => c.family === family) && !node.reportedIps.some((a) => a.family === family);
}

/** What it works with. */
export interface NodeAddressesParts {
  readonly kernel: Pick<Kernel, "links" | "addrs">;
  /** This node's object; undefined: it is not known. */
  readonly self: () => Node | undefined;
  readonly methods: () => Readonly<Record<Family, AddressMethod>>;
  /** Told when what is to be announced may have changed. */
  readonly onChange: () => void;
  /** See {@link sourceTo}. */
  readonly sourceTo: (to: Addr) => Promise<Addr | undefined>;
}

/** One for the life of an agent. */
export class NodeAddresses {
  readonly #parts: NodeAddressesParts;
  /** Before the first look nothing is known. */
  #found: Readonly<Record<Family, Result<Addr | undefined>>> | undefined;
  #isLooking = false;

  constructor(parts: NodeAddressesParts) {
    this.#parts = parts;
  }

  /** Looks anew. Never throws; looks that overlap are one. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
    });
  }

  async #look(): Promise<void> {
    const { kernel, methods, onChange, self, sourceTo: ask } = this.#parts;
    const wanted = methods();
    const node = self();
    try {
      const isAsked = FAMILIES.some((f) => wanted[f].kind !== "internal-ip" || isUnreported(node, f));
      const links = isAsked
        ? kernel
            .links()
            .filter((l) => !isPodDevice(l.name))
            .toSorted((a, b) => a.ifindex - b.ifindex)
            .map(({ name, isUp }) => ({ name, isUp, addrs: kernel.addrs(name) }))
        : [];
      const find = async (family: Family) => {
        const method = wanted[family];
        if (method.kind === "internal-ip") {
          const before = announcedAddrs(node?.annotations ?? new Map()).find((a) => a.family === family);
          const isMissing = node !== undefined && isUnreported(node, family);
          return ok(isMissing ? unreportedAddress(family, node.reportedIps, links, before) : undefined);
        }
        const source = method.kind === "can-reach" ? await ask(method.to) : undefined;
        return findNodeAddress(method, family, links, source);
      };
      const found = { 4: await find(4), 6: await find(6) };
      if (isDeepStrictEqual(found, this.#found)) return;
      this.#found = found;
    } catch (cause) {
      // A device went while it was asked for its addresses: its going is told as well.
      const failed = { ok: false, error: messageOf(cause) } as const;
      this.#found = { 4: failed, 6: failed };
    }
    onChange();
  }

  /** What the annotation should say; undefined: it should not be there. @param annotations the node's as they are */
  wanted(annotations: Labels): string | undefined {
    const before = announcedAddrs(annotations);
    const addrs = FAMILIES.flatMap((family) => {
      const found = this.#found?.[family];
      const kept = before.find((a) => a.family === family);
      return (found?.ok === true ? found.value : kept) ?? [];
    });
    return addrs.length === 0 ? undefined : addrs.map((a) => a.text).join(",");
  }

  /** Addresses that were looked for in vain. */
  issues(): readonly Issue[] {
    return FAMILIES.flatMap((family): Issue[] => {
      const found = this.#found?.[family];
      return found?.ok === false ? [{ path: `nodeAddress.ipv${family}`, message: found.error }] : [];
    });
  }
}
