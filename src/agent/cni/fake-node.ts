/** A whole node in memory for tests: pretended kernel, a real ledger in a directory of its own, and the plugin's calls. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok, type Result } from "../../base/result.ts";
import { makePool, type Pool } from "../../ipam/pool.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { openLedger } from "../../ledger/open.ts";
import { type Mac, mac } from "../../net/mac.ts";
import { prefix } from "../../net/prefix.ts";
import type { EndpointClasses } from "../../policy/table.ts";
import { handleCall } from "./handler.ts";
import type { NodeContext, NodeProblem } from "./node-context.ts";

/** What a plugin printed, as a runtime reads it. */
export interface Printed {
  readonly exitCode: number;
  // biome-ignore lint/suspicious/noExplicitAny: it is JSON of any shape, and tests look into it.
  readonly json: any;
}

/** Small pools: exhaustion is near. */
const TEST_POOLS: readonly Pool[] = [
  makePool("10.244.1.0/28", prefix("10.244.1.0/28")),
  makePool("fd00:10:244:1::/64", prefix("fd00:10:244:1::/64")),
];

/** See the file's comment. */
export class FakeNode implements Disposable {
  readonly machine = new FakeMachine();
  readonly directory: string = mkdtempSync(join(tmpdir(), "twill-node-"));
  pools: readonly Pool[] = TEST_POOLS;
  problems: readonly NodeProblem[] = [];
  /** What policy says of every pod. */
  classes: Result<EndpointClasses, string> = ok({ ingress: 1, egress: 1 });
  bootId = "boot-1";
  clockMs = 1_000_000;
  #ledger: Ledger | undefined;
  #macs = 0;

  constructor(maxEntries: ReadonlyMap<string, number> = new Map()) {
    createFakeKernel({ machine: this.machine }).loadPrograms(new Uint8Array([1]), {
      pinDirectory: "/sys/fs/bpf/twill",
      maxEntries,
    });
  }

  get ledgerPath(): string {
    return join(this.directory, "ledger.db");
  }

  get ledger(): Ledger {
    this.#ledger ??= openLedger({
      path: this.ledgerPath,
      bootId: this.bootId,
      coolDownMs: 30_000,
      lockTimeoutMs: 2_000,
      monotonicMs: () => this.clockMs,
    });
    return this.#ledger;
  }

  /** What a process does that ends, in whatever way. */
  closeLedger(): void {
    this.#ledger?.[Symbol.dispose]();
    this.#ledger = undefined;
  }

  /** The context of a process that starts now. @param wrap puts something between operations and kernel */
  context(wrap: (kernel: Kernel) => Kernel = (k) => k): NodeContext {
    return {
      kernel: wrap(createFakeKernel({ machine: this.machine })),
      ledger: this.ledger,
      settings: () => ({ pools: this.pools, mtuBytes: 1450 }),
      problems: () => this.problems,
      policy: { admit: () => this.classes },
      nowMs: () => this.clockMs,
      newMac: () => this.#newMac(),
    };
  }

  #newMac(): Mac {
    this.#macs++;
    return mac(
      `02:00:00:00:${(this.#macs >> 8).toString(16).padStart(2, "0")}:${(this.#macs & 0xff).toString(16).padStart(2, "0")}`,
    );
  }

  /** Calls the plugin as a runtime would. */
  call(
    command: string,
    config: object = {},
    env: Record<string, string> = {},
    context = () => this.context(),
  ): Printed {
    const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "twill", type: "twill", ...config });
    const { response } = handleCall(context, { env: { CNI_COMMAND: command, CNI_IFNAME: "eth0", ...env }, stdin });
    return { exitCode: response.exitCode, json: response.stdout === "" ? undefined : JSON.parse(response.stdout) };
  }

  /** Environment of a container whose namespace has its name. */
  env(container: string): Record<string, string> {
    return { CNI_CONTAINERID: container, CNI_NETNS: `/run/netns/${container}` };
  }

  /** Makes a namespace and attaches it. */
  add(container: string, config: object = {}, env: Record<string, string> = {}): Printed {
    const path = `/run/netns/${container}`;
    if (this.machine.netns(path) === undefined) this.machine.addNetns(path);
    return this.call("ADD", config, { ...this.env(container), ...env });
  }

  /** What lies in the node's tables: pods' host ends, entries of the map, leases, attachments. */
  leftovers(): { links: string[]; entries: number; leases: number; endpoints: number } {
    const kernel = createFakeKernel({ machine: this.machine });
    return {
      links: kernel.links().flatMap((l) => (l.name.startsWith("twl") ? [l.name] : [])),
      entries: kernel.mapCount("endpoints"),
      leases: this.ledger.leases().filter((l) => l.endpoint !== undefined).length,
      endpoints: this.ledger.endpoints().length,
    };
  }

  [Symbol.dispose](): void {
    this.closeLedger();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A node after which nothing was left. */
export const NOTHING_LEFT = { links: [], entries: 0, leases: 0, endpoints: 0 };
