/** The devices that the node has to the wire, from one look to the next: the same list as long as they are the same. */

import type { Kernel } from "../../kernel/kernel.ts";
import type { NetworkSettings } from "../../plan/settings.ts";
import { findUnderlay, type Underlay } from "../../plan/underlay.ts";
import type { HostDevice } from "../../policy/host-parts.ts";
import type { NodeNet } from "../../routing/node-net.ts";
import { readFacts } from "./facts.ts";
import type { LinksView } from "./links-view.ts";

const textOf = (devices: readonly HostDevice[]) =>
  devices.map((d) => `${d.ifindex} ${d.name} ${d.addrs.map((a) => a.text).join(",")}`).join("\n");

/** See the file's comment. */
export class WireDevices {
  readonly #kernel: Kernel;
  readonly #links: LinksView;
  #devices: readonly HostDevice[] = [];

  constructor(kernel: Kernel, links: LinksView) {
    this.#kernel = kernel;
    this.#links = links;
  }

  get devices(): readonly HostDevice[] {
    return this.#devices;
  }

  /** Looks for itself, before there is a plan. @throws KernelError when the kernel refuses to tell */
  look(self: NodeNet, settings: NetworkSettings): void {
    this.take(findUnderlay(settings, self, readFacts(this.#kernel, this.#links)));
  }

  /** @returns whether they are others than before */
  take(underlay: Pick<Underlay, "devices">): boolean {
    const now = underlay.devices.map(
      ({ name, ifindex, addrs }): HostDevice => ({ name, ifindex, addrs: addrs.map((a) => a.addr) }),
    );
    if (textOf(now) === textOf(this.#devices)) return false;
    this.#devices = now;
    return true;
  }
}
