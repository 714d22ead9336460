/**
 * The data plane's programs as an agent has them: its own version, or, when that cannot be loaded, the one that an earlier
 * agent left, for as long as both understand the same maps. An upgrade that fails must not take the network along.
 */

import { type Kernel, KernelError } from "../kernel/kernel.ts";
import { BPF_MAPS } from "../net/gen/bpf-maps.ts";
import type { Log } from "./log.ts";
import { messageOf } from "./reconcile/failures.ts";

/** What loading needs. */
export interface ProgramParts {
  readonly kernel: Pick<Kernel, "loadPrograms" | "maps">;
  readonly pinDirectory: string;
  readonly mapSizes: ReadonlyMap<string, number>;
  readonly log: Log;
}

/** Between attempts at loading what could not be loaded: the verifier takes half a second of a CPU. */
const RETRY_MS = 60_000;

/** Name of programs that an earlier agent loaded. */
const EARLIER = "of an earlier agent";

/** A verifier's log has thousands of lines: the first one says what was being done, the last telling one why not. */
function shortReason(cause: unknown): string {
  const [first = "", ...lines] = messageOf(cause).split("\n");
  const why = lines.findLast((l) => l !== "" && !/^(processed |libbpf: |-- )/.test(l));
  return why === undefined ? first : `${first}: ${why}`;
}

/** See the file's comment. One for the life of an agent. */
export class Programs {
  readonly #parts: ProgramParts;
  #object: Uint8Array | undefined;
  #tag: string | undefined;
  #failure: string | undefined = "The programs are not loaded yet";
  #retryAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: ProgramParts) {
    this.#parts = parts;
  }

  /** Tag of the programs that are in use; undefined: none are. */
  get tag(): string | undefined {
    return this.#tag;
  }

  /** Wall clock of the next attempt at loading, milliseconds. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  /** Why no programs are in use. */
  get problem(): string | undefined {
    return this.#tag === undefined ? this.#failure : undefined;
  }

  /** Why the programs in use are not this agent's own. */
  get issue(): string | undefined {
    return this.#tag === undefined ? undefined : this.#failure;
  }

  /** Loads programs and maps, adopting what is pinned. Never throws: what went wrong is a problem or an issue. */
  load(object: Uint8Array, nowMs: number): void {
    const { kernel, pinDirectory, mapSizes, log } = this.#parts;
    this.#object = object;
    try {
      const loaded = kernel.loadPrograms(object, { pinDirectory, maxEntries: mapSizes });
      this.#tag = loaded.tag;
      this.#failure = undefined;
      this.#retryAtMs = Number.POSITIVE_INFINITY;
      log.info({ programs: loaded.tag, isSame: loaded.isSame }, "loaded programs");
      if (loaded.leftOut !== undefined)
        log.warn(
          { leftOut: loaded.leftOut },
          "this kernel has no programs on sockets (CONFIG_CGROUP_BPF): services are translated packet by packet",
        );
    } catch (cause) {
      this.#failure = shortReason(cause);
      // EAGAIN: a signal came while the verifier was at work.
      const isInterrupted = cause instanceof KernelError && cause.code === "EAGAIN";
      this.#retryAtMs = nowMs + (isInterrupted ? 0 : RETRY_MS);
      this.#tag = this.#canUseEarlier() ? EARLIER : undefined;
      log.error({ error: cause, programs: this.#tag }, "cannot load programs");
    }
  }

  /** Tries again what failed, when its time has come. */
  retry(nowMs: number): void {
    if (this.#object !== undefined && nowMs >= this.#retryAtMs) this.load(this.#object, nowMs);
  }

  /** Whether every map is pinned in the layout that this agent writes. */
  #canUseEarlier(): boolean {
    try {
      const pinned = new Map(this.#parts.kernel.maps().map((m) => [m.name, m]));
      return Object.entries(BPF_MAPS).every(([name, { keyBytes, valueBytes }]) => {
        const map = pinned.get(name);
        if (map === undefined) return false;
        // A per-CPU value has a part for each CPU; the ring has neither key nor value.
        return valueBytes === 0 || (map.keyBytes === keyBytes && map.valueBytes % valueBytes === 0);
      });
    } catch {
      return false;
    }
  }
}
