/** The cluster as an agent plans from it: of every node what routing needs, the same objects for as long as they say the same. */

import type { ClusterSnapshot, ClusterSource } from "../cluster/source.ts";
import type { NodeNet } from "../routing/node-net.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { Log } from "./log.ts";

/** What a plan is made from. */
export interface View {
  /** This node; it has pod CIDRs. */
  readonly self: NodeNet;
  /** All nodes, by name. */
  readonly nodes: readonly NodeNet[];
}

/** One look at the cluster. The same object as long as nothing that matters has changed. */
export interface Look {
  /** undefined: nothing can be planned yet. */
  readonly view: View | undefined;
  /** Why the view is not the present one, or why there is none. */
  readonly waitingFor: string | undefined;
}

/** What looking needs. */
export interface ViewParts {
  readonly source: Pick<ClusterSource, "isSynced" | "snapshot" | "description">;
  readonly memory: Pick<ClusterMemory, "load" | "save">;
  readonly nodeName: string;
  readonly log: Log;
}

function saysTheSame(a: NodeNet, b: NodeNet): boolean {
  const texts = (n: NodeNet) => [...n.internalIps, ...n.podCidrs, ...(n.poolCidrs ?? [])].map((x) => x.text).join(" ");
  return a.internalIps.length === b.internalIps.length && texts(a) === texts(b);
}

function waitingText(name: string, isSynced: boolean, source: string, self: NodeNet | undefined): string {
  if (!isSynced) return `Waiting for the first answer of ${source}`;
  if (self === undefined) return `There is no node "${name}" in ${source}: is "nodeName" right?`;
  return `Node "${name}" has no pod CIDR in spec.podCIDRs yet: kube-controller-manager gives one with --allocate-node-cidrs, or Twill with allocateNodeCIDRs`;
}

/** One for the life of an agent. */
export class ClusterView {
  readonly #parts: ViewParts;
  #table: ClusterSnapshot["tables"]["nodes"] | undefined;
  #nodes: readonly NodeNet[];
  #hasNodes: boolean;
  #last: Look = { view: undefined, waitingFor: "The agent has just started" };

  constructor(parts: ViewParts) {
    this.#parts = parts;
    const remembered = parts.memory.load();
    this.#nodes = remembered ?? [];
    this.#hasNodes = remembered !== undefined;
  }

  /** Whether a node is known that has no pod CIDR. */
  hasBareNodes(): boolean {
    return this.#nodes.some((n) => n.podCidrs.length === 0);
  }

  /** The cluster as the source shows it, or as it was last seen while the source has not answered yet. */
  look(): Look {
    const { source, nodeName } = this.#parts;
    const isSynced = source.isSynced();
    if (isSynced) this.#take(source.snapshot().tables.nodes);
    const self = this.#nodes.find((n) => n.name === nodeName);
    // Without an own node nothing is taken away: somebody may have deleted it by mistake, and pods are running.
    if (!this.#hasNodes || self === undefined || self.podCidrs.length === 0)
      return this.#say(this.#last.view, waitingText(nodeName, isSynced, source.description, self));
    const { view } = this.#last;
    const isSame = view?.self === self && view.nodes === this.#nodes;
    return this.#say(isSame ? view : { self, nodes: this.#nodes }, undefined);
  }

  #say(view: View | undefined, waitingFor: string | undefined): Look {
    if (view !== this.#last.view || waitingFor !== this.#last.waitingFor) this.#last = { view, waitingFor };
    return this.#last;
  }

  /** Takes over what is different. Most changes of a Node object (heartbeats, labels) are none to routing. */
  #take(table: ClusterSnapshot["tables"]["nodes"]): void {
    if (table === this.#table) return;
    this.#table = table;
    const before = new Map(this.#nodes.map((n) => [n.name, n]));
    const nodes = [...table].map(({ name, internalIps, podCidrs, poolCidrs }): NodeNet => {
      const fresh = { name, internalIps, podCidrs, poolCidrs };
      const known = before.get(name);
      return known !== undefined && saysTheSame(known, fresh) ? known : fresh;
    });
    nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
    const isSame = this.#hasNodes && nodes.length === this.#nodes.length && nodes.every((n, i) => n === this.#nodes[i]);
    this.#hasNodes = true;
    if (isSame) return;
    this.#nodes = nodes;
    this.#keep();
  }

  #keep(): void {
    const { memory, log, nodeName } = this.#parts;
    // Nodes without our own would be of no use to the next start; the last ones that had it are.
    if (!this.#nodes.some((n) => n.name === nodeName && n.podCidrs.length > 0)) return;
    try {
      memory.save(this.#nodes);
    } catch (cause) {
      log.warn({ error: cause }, "cannot keep the nodes for the next start");
    }
  }
}
