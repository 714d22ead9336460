/** The devices as one look showed them. A node with hundreds of pods has hundreds: a run asks the kernel once. */

import type { Kernel, Link } from "../../kernel/kernel.ts";

/** See the file's comment. */
export class LinksView {
  readonly #kernel: Pick<Kernel, "links">;
  #links: readonly Link[] | undefined;
  #indexes: ReadonlyMap<string, number> | undefined;

  constructor(kernel: Pick<Kernel, "links">) {
    this.#kernel = kernel;
  }

  /** All devices. */
  all(): readonly Link[] {
    this.#links ??= this.#kernel.links();
    return this.#links;
  }

  /** Index of a device; undefined: there is none. */
  index(name: string): number | undefined {
    this.#indexes ??= new Map(this.all().map((l) => [l.name, l.ifindex]));
    return this.#indexes.get(name);
  }

  /** To be called when devices may have changed: the next question looks anew. */
  forget(): void {
    this.#links = undefined;
    this.#indexes = undefined;
  }
}
