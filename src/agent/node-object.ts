/** This node's object, as far as the agent has to do with it: what is told there, and where that comes from. */

import { formatIssues, type Issue } from "../base/issue.ts";
import { ADDRESSES_ANNOTATION, type Node } from "../model/node.ts";
import type { LiveConfig } from "./config/live-config.ts";
import { WAITING_ANNOTATION, waitingValue } from "./config/waiting.ts";
import { NodeAddresses, sourceTo } from "./node-addresses.ts";
import type { AgentParts, NodeAgent } from "./node-agent.ts";
import { OwnNode, type WantedNode } from "./own-node.ts";
import { pause } from "./pause.ts";

/** One for the life of an agent. */
export class NodeObject {
  readonly #live: LiveConfig;
  readonly #agent: Pick<NodeAgent, "notReady">;
  readonly #addresses: NodeAddresses;
  readonly #own: OwnNode;

  constructor(
    { source, kernel, log }: Pick<AgentParts, "source" | "kernel" | "log">,
    live: LiveConfig,
    agent: Pick<NodeAgent, "notReady">,
  ) {
    this.#live = live;
    this.#agent = agent;
    this.#addresses = new NodeAddresses({
      kernel,
      methods: () => live.config.nodeAddress,
      self: () => source.snapshot().tables.nodes.get(live.config.nodeName),
      onChange: () => this.see(),
      sourceTo,
    });
    this.#own = new OwnNode({
      source,
      nodeName: live.config.nodeName,
      log,
      wanted: (node) => this.#wanted(node),
      nowMs: () => performance.now(),
      pause,
    });
  }

  /** Keeps what is told until the signal falls. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#own.run(signal);
  }

  /** To be called when the kernel was looked at. */
  look(): void {
    this.#addresses.look();
    this.#own.look();
  }

  /** To be called when the cluster's objects have changed. Cheap. */
  see(): void {
    this.#own.look();
  }

  issues(): readonly Issue[] {
    return this.#addresses.issues();
  }

  #wanted(node: Node): WantedNode {
    const { waits, issues } = this.#live;
    return {
      annotations: {
        [ADDRESSES_ANNOTATION]: this.#addresses.wanted(node.annotations),
        [WAITING_ANNOTATION]: waitingValue({ restart: waits, refused: formatIssues(issues) }),
      },
      isReady: this.#agent.notReady().length === 0,
      startupTaint: this.#live.config.startupTaint,
    };
  }
}
