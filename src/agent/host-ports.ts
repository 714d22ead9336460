/** Host ports of a node's pods as its agent sees them: whether there are any, whose they are, and who has them instead. */

import type { Issue } from "../base/issue.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { areHostPortsLookedFor, tellHostPorts } from "./host-port-map.ts";
import { hostPortReports, type Owners } from "./service/host-port-report.ts";
import type { ServiceReport } from "./service/service-report.ts";

/** What they are told from. */
export interface HostPortParts {
  readonly kernel: Kernel;
  readonly ledger: Pick<Ledger, "endpoints">;
  readonly nodeName: string;
  /** Of addresses of services; undefined: nothing is known of them yet. */
  readonly owners: () => Owners | undefined;
}

/** One for the life of an agent. */
export class HostPorts {
  readonly #parts: HostPortParts;
  #hasAny: boolean | undefined;

  constructor(parts: HostPortParts) {
    this.#parts = parts;
  }

  /** Whether pods had any at the last {@link look}. */
  get hasAny(): boolean {
    return this.#hasAny === true;
  }

  /** Part of a run: looks whether pods have any. */
  look(): void {
    this.#hasAny = this.#parts.ledger.endpoints().some((e) => e.hostPorts.length > 0);
  }

  /** Part of a run: lets programs look for them, or not. */
  tell(): void {
    tellHostPorts(this.#parts.kernel, this.hasAny);
  }

  /** Whether the first pod with host ports has come since the last run, or the last one has gone: sockets may have to be seen. */
  hasNews(): boolean {
    return this.#hasAny !== undefined && areHostPortsLookedFor(this.#parts.kernel) !== this.#hasAny;
  }

  /** By pod. */
  reports(): readonly ServiceReport[] {
    const { ledger, nodeName, owners } = this.#parts;
    return hostPortReports(ledger.endpoints(), nodeName, owners());
  }

  /** Ports that pods have in vain. */
  issues(): Issue[] {
    if (!this.hasAny) return [];
    return this.reports().flatMap(({ namespace, name, issues }) =>
      issues.map((message) => ({ path: `hostPorts.${namespace}/${name}`, message })),
    );
  }
}
