/** The node itself among what is judged: its parts from one look to the next, and their rows in the map `hosts`. */

import type { Kernel } from "../../kernel/kernel.ts";
import type { Node } from "../../model/node.ts";
import type { CalicoHostEndpoint } from "../../model/policy/calico-objects.ts";
import { bytesEqual, bytesKey } from "../../net/bytes-key.ts";
import { HOSTS_MAP, hostMapKey, hostMapRow } from "../../plan/policy-rows.ts";
import type { LabelViews } from "../../policy/facts.ts";
import {
  createNodePolicies,
  type HostDevice,
  type HostPart,
  type HostParts,
  hostParts,
  partsUnder,
} from "../../policy/host-parts.ts";
import type { FullTier } from "../../policy/order.ts";
import type { EndpointClasses } from "../../policy/table.ts";

type MapKernel = Pick<Kernel, "mapRows" | "putMapRows" | "deleteMapKeys">;

/** What the node's own policy follows from. */
export interface HostInput {
  /** undefined: not known (yet). */
  readonly node: Node | undefined;
  readonly endpoints: Iterable<CalicoHostEndpoint>;
  /** The same list as long as the devices are the same. */
  readonly devices: readonly HostDevice[];
  readonly views: LabelViews;
  readonly ordered: readonly FullTier[];
}

const NOBODY: HostParts = { parts: [], astray: [] };

/** See the file's comment. */
export class HostEndpoints {
  readonly #kernel: MapKernel;
  readonly #nodePolicies = createNodePolicies();
  #input: HostInput | undefined;
  #all: HostParts = NOBODY;
  #judged: readonly HostPart[] = [];
  readonly #rows = new Map<string, EndpointClasses>();

  constructor(kernel: MapKernel) {
    this.#kernel = kernel;
  }

  /** The parts that are judged: the same objects as before as long as they say the same. */
  update(input: HostInput): readonly HostPart[] {
    const { node, endpoints, devices, views, ordered } = input;
    const last = this.#input;
    const isSame =
      last?.node === node && last?.endpoints === endpoints && last?.devices === devices && last?.views === views;
    if (!isSame) this.#all = node === undefined ? NOBODY : hostParts(node, endpoints, devices, views);
    if (!isSame || last?.ordered !== ordered) this.#judged = partsUnder(this.#nodePolicies(ordered), this.#all.parts);
    this.#input = input;
    return this.#judged;
  }

  /** Whether anything of the node is judged. */
  get isJudged(): boolean {
    return this.#judged.length > 0;
  }

  /** Host endpoints of this node that are enforced nowhere. */
  get astray(): HostParts["astray"] {
    return this.#all.astray;
  }

  /** Writes what a part is judged by; undefined: nobody judges it any more. */
  put(key: string, classes: EndpointClasses | undefined): void {
    const ifindex = ifindexOf(key);
    if (ifindex === undefined) throw new Error(`"${key}" is no part of the node`);
    if (classes === undefined) {
      this.#kernel.deleteMapKeys(HOSTS_MAP, [hostMapKey(ifindex)]);
      this.#rows.delete(key);
    } else {
      this.#kernel.putMapRows(HOSTS_MAP, [hostMapRow(ifindex, classes)]);
      this.#rows.set(key, classes);
    }
  }

  /** Compares the map with what should be there. @returns rows that were not as they should be */
  mend(): number {
    const wanted = [...this.#rows].map(([key, classes]) => hostMapRow(ifindexOf(key) ?? 0, classes));
    const found = this.#kernel.mapRows(HOSTS_MAP);
    const missing = wanted.filter((w) => !found.some((f) => bytesEqual(f.key, w.key) && bytesEqual(f.value, w.value)));
    const keys = new Set(wanted.map((w) => bytesKey(w.key)));
    const excess = found.filter((f) => !keys.has(bytesKey(f.key)));
    if (missing.length > 0) this.#kernel.putMapRows(HOSTS_MAP, missing);
    if (excess.length > 0)
      this.#kernel.deleteMapKeys(
        HOSTS_MAP,
        excess.map((row) => row.key),
      );
    return missing.length + excess.length;
  }
}

function ifindexOf(key: string): number | undefined {
  const found = /^host ([0-9]+)$/.exec(key)?.[1];
  return found === undefined ? undefined : Number(found);
}
